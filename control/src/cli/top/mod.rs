//! `wirepath top`.

mod backends;
mod screen;
#[cfg(test)]
mod tests;
mod view;
mod watcher;

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::{Context, bail};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::Failure;
use super::servers::{Where, print};
use screen::{Action, Screen};
use watcher::{Order, Watcher};

/// Columns and lines of a page that is printed.
const PAGE: (u16, u16) = (100, 40);
/// How long a key is waited for before the next look at what has come.
const TICK: Duration = Duration::from_millis(100);

/// What `top` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    servers: Where,
    /// Seconds between two looks.
    #[arg(short, long, value_name = "SECONDS", default_value_t = 1.0, value_parser = parse_delay)]
    delay: f64,
    /// Print pages of text instead of filling a terminal.
    #[arg(short, long)]
    batch: bool,
    /// Print one page: --batch -n 1.
    #[arg(long, conflicts_with = "count")]
    once: bool,
    /// Pages to print, with --batch [default: without end].
    #[arg(short = 'n', long, value_name = "COUNT", requires = "batch")]
    count: Option<u64>,
}

fn parse_delay(text: &str) -> Result<f64, String> {
    let range = 0.1..=3_600.0;
    let seconds = text.parse().map_err(|error| format!("{error}"))?;
    if range.contains(&seconds) {
        Ok(seconds)
    } else {
        Err(format!("{seconds} is not in {range:?}"))
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (name, client) = args.servers.one()?;
    let delay = Duration::from_secs_f64(args.delay);
    let watcher = Watcher::start(client, delay)?;
    let screen = Screen::new(name, delay);
    if args.batch || args.once {
        let count = if args.once { Some(1) } else { args.count };
        return Ok(print_pages(&watcher, screen, count)?);
    }
    if !std::io::stdout().is_terminal() {
        let hint = "standard output is no terminal; --batch or --once prints pages of text";
        return Err(Failure::Usage(anyhow::anyhow!(hint)));
    }
    Ok(fill_terminal(&watcher, screen)?)
}

/// Prints a page for each two looks that follow each other: only then there are rates.
fn print_pages(watcher: &Watcher, mut screen: Screen, count: Option<u64>) -> anyhow::Result<()> {
    let mut terminal = Terminal::new(TestBackend::new(PAGE.0, PAGE.1))?;
    screen.on_look(watcher.wait()?);
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        screen.on_look(watcher.wait()?);
        if let Some(error) = screen.error() {
            bail!("{error}");
        }
        terminal.draw(|frame| view::draw(frame, &screen))?;
        let page = view::text(terminal.backend().buffer());
        if !print(&page)? {
            break;
        }
        left -= 1;
    }
    Ok(())
}

fn fill_terminal(watcher: &Watcher, screen: Screen) -> anyhow::Result<()> {
    let mut terminal = ratatui::try_init().context("cannot use the terminal")?;
    let end = converse(&mut terminal, watcher, screen);
    ratatui::restore();
    end
}

fn converse(
    terminal: &mut ratatui::DefaultTerminal,
    watcher: &Watcher,
    mut screen: Screen,
) -> anyhow::Result<()> {
    loop {
        while let Some(look) = watcher.poll()? {
            screen.on_look(look);
        }
        terminal.draw(|frame| view::draw(frame, &screen))?;
        if !event::poll(TICK)? {
            continue;
        }
        let Event::Key(key) = event::read()? else {
            continue;
        };
        if key.kind != KeyEventKind::Press {
            continue;
        }
        match screen.on_key(key) {
            Action::Quit => return Ok(()),
            Action::Look => watcher.order(Order {
                delay: screen.delay(),
                rank: screen.rank(),
            }),
            Action::None => {}
        }
    }
}
