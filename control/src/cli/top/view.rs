//! How the screen of `top` looks; 80 columns and 24 lines are enough.

use std::fmt::Write as _;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize as _};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Sparkline, Table};

use super::backends;
use super::screen::{FlowRow, Screen, Spans, WorkerRow};
use crate::api::Rank;

const KEYS: &str = "q quit  h help  space look now  P M T R or arrows order  +/- delay";
const HELP: [&str; 13] = [
    "q, Esc, ^C     quit",
    "h, ?, F1       this help, and back",
    "space          look now",
    "P              connections by bytes so far",
    "M              ... by bytes that wait for the peer",
    "T              ... by round-trip time",
    "R              ... by segments sent again",
    "left, right    the order before, and the next",
    "up, down, PgUp, PgDn, Home, End   scroll connections",
    "+, -           half as often, and twice as often",
    "",
    "busy: share of time in turns that did something",
    "p50, p99: length of turns, of which one in 64 is measured",
];

/// Fills the screen.
pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let workers = u16::try_from(screen.workers().len()).unwrap_or(u16::MAX);
    // Many workers leave half of the screen to connections.
    let workers = workers.max(1).min(frame.area().height / 2) + 1;
    let backends = backends::height(screen).min(frame.area().height / 4);
    let [head, spans, workers, backends, flows, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(2),
        Constraint::Length(workers),
        Constraint::Length(backends),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_head(frame, head, screen);
    draw_spans(frame, spans, screen);
    draw_workers(frame, workers, screen.workers());
    backends::draw(frame, backends, screen);
    if screen.shows_help() {
        frame.render_widget(Paragraph::new(HELP.map(Line::from).to_vec()), flows);
    } else {
        draw_flows(frame, flows, screen);
    }
    let foot_line = match screen.error() {
        Some(error) => Line::from(error.to_owned()).red(),
        None => Line::from(KEYS).dim(),
    };
    frame.render_widget(Paragraph::new(foot_line), foot);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let (name, delay) = (screen.name(), screen.delay().as_secs_f64());
    let lines = match screen.stats() {
        None => vec![Line::from(format!("{name}: waiting for an answer"))],
        Some(stats) => {
            let blocks = stats.blocks as f64 * 100.0 / stats.blocks_total.max(1) as f64;
            let first = format!(
                "{name}: {} open, {} half-open, {} time-wait, every {delay:.2}s",
                stats.open, stats.half_open, stats.time_wait
            );
            let second = format!(
                "memory {blocks:.1}%, {} listeners, {} stalls, {} resets in, {} timed out",
                stats.listeners.len(),
                stats.stalls,
                count(stats.counters.get("resets_in")),
                count(stats.counters.get("timed_out")),
            );
            vec![Line::from(first).bold(), Line::from(second)]
        }
    };
    frame.render_widget(Paragraph::new(lines), area);
}

fn count(counter: Option<&u64>) -> u64 {
    counter.copied().unwrap_or_default()
}

fn draw_spans(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    type Get = fn(&Spans) -> Option<u64>;
    let lines: [(&str, Get); 2] = [("p50", |spans| spans.p50), ("p99", |spans| spans.p99)];
    let areas: [Rect; 2] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    for ((name, get), area) in lines.into_iter().zip(areas) {
        let [label, graph] =
            Layout::horizontal([Constraint::Length(20), Constraint::Fill(1)]).areas(area);
        let last = screen.history().back().and_then(get);
        frame.render_widget(
            Line::from(format!("turn {name} {:>8}", micros(last))),
            label,
        );
        // The newest at the right edge.
        let shown = usize::from(graph.width).min(screen.history().len());
        let skipped = screen.history().len() - shown;
        let data = screen.history().iter().skip(skipped);
        let data: Vec<u64> = data.map(|spans| get(spans).unwrap_or_default()).collect();
        frame.render_widget(Sparkline::default().data(&data).cyan(), graph);
    }
}

fn draw_workers(frame: &mut Frame<'_>, area: Rect, workers: &[WorkerRow]) {
    let heading = [
        "W", "queues", "busy", "in/s", "out/s", "bit in", "bit out", "batch", "drop/s", "open",
        "p50", "p99",
    ];
    let widths = [2, 6, 4, 6, 6, 6, 7, 5, 6, 6, 7, 7].map(Constraint::Length);
    let rows = workers.iter().enumerate().map(|(number, worker)| {
        Row::new([
            number.to_string(),
            worker.queues.clone(),
            format!("{:.0}%", worker.busy * 100.0),
            short(worker.frames_in),
            short(worker.frames_out),
            short(worker.bits_in),
            short(worker.bits_out),
            format!("{:.1}", worker.batch),
            short(worker.drops),
            worker.open.to_string(),
            micros(worker.turns.p50),
            micros(worker.turns.p99),
        ])
    });
    let heading = Row::new(heading).style(Style::new().reversed());
    frame.render_widget(Table::new(rows, widths).header(heading), area);
}

fn draw_flows(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let mark = |name: &str, rank: Rank| {
        let mark = if screen.rank() == rank { "*" } else { "" };
        format!("{name}{mark}")
    };
    let heading = Row::new([
        "local".to_owned(),
        "remote".to_owned(),
        "state".to_owned(),
        "B/s".to_owned(),
        mark("bytes", Rank::Bytes),
        mark("send-q", Rank::SendQueue),
        mark("rtt", Rank::Srtt),
        mark("again", Rank::Retransmissions),
    ]);
    let widths = [
        Constraint::Fill(2),
        Constraint::Fill(3),
        Constraint::Length(11),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(6),
    ];
    let rows = screen
        .flows()
        .iter()
        .take(usize::from(area.height))
        .map(flow_row);
    let heading = heading.style(Style::new().reversed());
    frame.render_widget(Table::new(rows, widths).header(heading), area);
}

fn flow_row(FlowRow { flow, rate }: &FlowRow) -> Row<'static> {
    let details = flow.details.as_ref();
    let bytes = details.map(|d| (d.bytes_received + d.bytes_acked) as f64);
    Row::new([
        flow.local.to_string(),
        flow.remote.to_string(),
        flow.state.clone(),
        rate.map_or_else(|| "-".to_owned(), short),
        bytes.map_or_else(|| "-".to_owned(), short),
        short(f64::from(flow.send_queue)),
        micros(details.map(|details| u64::from(details.srtt_us) * 1_000)),
        details.map_or(0, |d| d.retransmissions).to_string(),
    ])
}

/// In at most five letters.
pub(super) fn short(value: f64) -> String {
    let units = ["", "k", "M", "G", "T"];
    let (mut value, mut unit) = (value, 0);
    // What would be rounded to 1000 is 1 of the next.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0}{}", units[unit])
    } else {
        format!("{value:.1}{}", units[unit])
    }
}

/// Nanoseconds as people read them.
fn micros(nanos: Option<u64>) -> String {
    match nanos {
        None => "-".to_owned(),
        Some(nanos @ 0..100_000) => format!("{:.1}us", nanos as f64 / 1e3),
        Some(nanos @ 100_000..100_000_000) => format!("{:.1}ms", nanos as f64 / 1e6),
        Some(nanos) => format!("{:.1}s", nanos as f64 / 1e9),
    }
}

/// A screen as lines of text, without what is empty at their ends.
pub(super) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    let area = buffer.area;
    for row in area.top()..area.bottom() {
        let cells = (area.left()..area.right()).map(|column| buffer[(column, row)].symbol());
        let line: String = cells.collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.truncate(text.trim_end().len());
    text + "\n\n"
}
