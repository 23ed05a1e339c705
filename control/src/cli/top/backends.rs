//! Backends on the screen of `top`.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Style, Stylize as _};
use ratatui::widgets::{Row, Table};

use super::screen::Screen;
use super::view::short;
use crate::api::{BackendStats, PoolStats};

/// How many lines they want, with their heading.
pub(super) fn height(screen: &Screen) -> u16 {
    let pools = screen.stats().map(|stats| stats.pools.values());
    let backends: usize = pools
        .into_iter()
        .flatten()
        .map(|it| it.backends.len())
        .sum();
    let lines = if backends > 0 { backends + 1 } else { 0 };
    // Many leave the most of the screen to connections.
    u16::try_from(lines).unwrap_or(u16::MAX)
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let Some(stats) = screen.stats().filter(|_| area.height > 0) else {
        return;
    };
    let heading = [
        "pool", "backend", "state", "held", "opened", "failed", "reset", "to", "from",
    ];
    let widths = [
        Constraint::Fill(1),
        Constraint::Fill(2),
        Constraint::Length(8),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(6),
    ];
    let rows = stats.pools.iter().flat_map(|(name, pool)| {
        let PoolStats { backends, .. } = pool;
        backends.iter().map(|backend| row(name, backend))
    });
    let heading = Row::new(heading).style(Style::new().reversed());
    frame.render_widget(Table::new(rows, widths).header(heading), area);
}

fn row(pool: &str, backend: &BackendStats) -> Row<'static> {
    let count = |names: &[&str]| {
        let counts = names.iter().filter_map(|name| backend.counters.get(*name));
        short(counts.sum::<u64>() as f64)
    };
    let row = Row::new([
        pool.to_owned(),
        backend.address.to_string(),
        backend.state.clone(),
        backend.held.to_string(),
        count(&["opened"]),
        count(&["refused", "timed_out", "failed"]),
        count(&["reset"]),
        count(&["text_to"]),
        count(&["text_from"]),
    ]);
    match backend.state.as_str() {
        "up" => row,
        _ => row.style(Style::new().red()),
    }
}
