//! A trace as a plot of sequence numbers over time, as tcptrace draws it: what we sent, what the
//! peer acknowledged, and how far its window went.

use std::fmt::Write as _;

use super::timeline::Origins;
use crate::api::{Trace, What};

const WIDTH: f64 = 1_200.0;
const HEIGHT: f64 = 700.0;
const MARGIN: f64 = 70.0;
/// Lines of the grid each way.
const GRID: u32 = 8;

/// A sent segment, or the peer's word on what it has and would take.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mark {
    Sent { first: f64, last: f64, again: bool },
    Acknowledged { ack: f64, edge: f64 },
    Timer,
}

struct Plot {
    marks: Vec<(f64, Mark)>,
    /// Seconds, and bytes.
    span: (f64, f64),
}

impl Plot {
    fn of(trace: &Trace) -> Self {
        let start = trace.events.first().map_or(0, |event| event.at_us);
        let origins = Origins::of(trace);
        let (mut marks, mut high) = (Vec::new(), 0_i32);
        for event in &trace.events {
            let at = (event.at_us.saturating_sub(start)) as f64 / 1e6;
            let mark = match event.what {
                What::Segment {
                    sent: true,
                    seq,
                    ack,
                    len,
                    ..
                } if len > 0 => {
                    let (first, _) = origins.relative(true, seq, ack);
                    let last = first.wrapping_add(i32::from(len));
                    let again = first < high;
                    high = high.max(last);
                    let (first, last) = (f64::from(first), f64::from(last));
                    Mark::Sent { first, last, again }
                }
                What::Segment {
                    sent: false,
                    seq,
                    ack,
                    window,
                    flags,
                    ..
                } if flags & 0x10 != 0 => {
                    let (_, ack) = origins.relative(false, seq, ack);
                    // A window on a SYN is not scaled: RFC 7323 2.2.
                    let scale = if flags & 2 == 0 {
                        trace.window_scale.0
                    } else {
                        0
                    };
                    let ack = f64::from(ack);
                    let edge = ack + f64::from(u32::from(window) << scale);
                    Mark::Acknowledged { ack, edge }
                }
                What::Timer { ref name, .. } if name == "on" || name == "persist" => Mark::Timer,
                _ => continue,
            };
            marks.push((at, mark));
        }
        let end = marks.last().map_or(0.0, |&(at, _)| at);
        // A window far above what is sent would press the rest to the floor.
        let top = |mark: &Mark| match *mark {
            Mark::Sent { last, .. } => last,
            Mark::Acknowledged { ack, .. } => ack,
            Mark::Timer => 0.0,
        };
        let top = marks.iter().map(|(_, mark)| top(mark)).fold(0.0, f64::max);
        let span = (end.max(1e-6), (top * 1.1).max(1.0));
        Self { marks, span }
    }

    fn x(&self, at: f64) -> f64 {
        MARGIN + at / self.span.0 * (WIDTH - 2.0 * MARGIN)
    }

    fn y(&self, seq: f64) -> f64 {
        let share = (seq / self.span.1).clamp(0.0, 1.0);
        HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN)
    }

    fn grid(&self, svg: &mut String) {
        for line in 0..=GRID {
            let share = f64::from(line) / f64::from(GRID);
            let (at, seq) = (share * self.span.0, share * self.span.1);
            let (x, y) = (self.x(at), self.y(seq));
            let (low, right) = (HEIGHT - MARGIN, WIDTH - MARGIN);
            // Writing to a string cannot fail.
            let _ = writeln!(
                svg,
                "<path class='grid' d='M{x:.1} {MARGIN}V{low}M{MARGIN} {y:.1}H{right}'/>\
                 <text x='{x:.1}' y='{:.1}' text-anchor='middle'>{at:.6}</text>\
                 <text x='{:.1}' y='{y:.1}' text-anchor='end'>{seq:.0}</text>",
                low + 18.0,
                MARGIN - 6.0,
            );
        }
    }

    /// A staircase: each step holds until the next.
    fn stairs(&self, svg: &mut String, class: &str, height: impl Fn(f64, f64) -> f64) {
        let mut path = String::new();
        for (at, mark) in &self.marks {
            let Mark::Acknowledged { ack, edge } = *mark else {
                continue;
            };
            let (x, y) = (self.x(*at), self.y(height(ack, edge)));
            let _ = if path.is_empty() {
                write!(path, "M{x:.1} {y:.1}")
            } else {
                write!(path, "H{x:.1}V{y:.1}")
            };
        }
        if !path.is_empty() {
            let _ = writeln!(svg, "<path class='{class}' d='{path}'/>");
        }
    }

    fn segments(&self, svg: &mut String) {
        for (at, mark) in &self.marks {
            let x = self.x(*at);
            let _ = match *mark {
                Mark::Sent { first, last, again } => {
                    let class = if again { "again" } else { "sent" };
                    let (low, high) = (self.y(first), self.y(last));
                    writeln!(
                        svg,
                        "<path class='{class}' d='M{x:.1} {low:.1}V{high:.1}'/>"
                    )
                }
                Mark::Timer => {
                    let low = HEIGHT - MARGIN;
                    writeln!(svg, "<path class='timer' d='M{x:.1} {MARGIN}V{low}'/>")
                }
                Mark::Acknowledged { .. } => Ok(()),
            };
        }
    }
}

pub(super) fn svg(trace: &Trace) -> String {
    let plot = Plot::of(trace);
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' \
         font-family='sans-serif' font-size='11'>\n<style>path{{fill:none}}\
         .grid{{stroke:#ddd}}.sent{{stroke:#000;stroke-width:2}}\
         .again{{stroke:#d00;stroke-width:2}}.ack{{stroke:#080}}.window{{stroke:#c80}}\
         .timer{{stroke:#d00;stroke-dasharray:4}}</style>\n\
         <rect width='{WIDTH}' height='{HEIGHT}' fill='#fff'/>\n\
         <text x='{MARGIN}' y='30' font-size='16'>{} to {}</text>\n\
         <text x='{MARGIN}' y='50'>bytes over seconds; black: sent, red: sent again, green: \
         acknowledged, orange: window, dashed: retransmission or persist timer</text>\n",
        trace.local, trace.remote
    );
    plot.grid(&mut svg);
    plot.stairs(&mut svg, "window", |_, edge| edge);
    plot.stairs(&mut svg, "ack", |ack, _| ack);
    plot.segments(&mut svg);
    svg.push_str("</svg>\n");
    svg
}
