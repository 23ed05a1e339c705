//! A trace as lines that people read.

use std::fmt::Write as _;

use crate::api::{Trace, What};

/// The letters of the control bits, from the lowest.
const FLAGS: [char; 8] = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'W'];

/// Where the sequence numbers of both sides begin: at the first that is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Origins {
    /// Of what we send.
    pub(super) ours: Option<u32>,
    /// Of what the peer sends.
    pub(super) theirs: Option<u32>,
}

impl Origins {
    pub(super) fn of(trace: &Trace) -> Self {
        let mut origins = Self::default();
        for event in &trace.events {
            if let What::Segment {
                sent,
                seq,
                ack,
                flags,
                ..
            } = event.what
            {
                let acks = flags & 0x10 != 0;
                let (own, other) = if sent {
                    (&mut origins.ours, &mut origins.theirs)
                } else {
                    (&mut origins.theirs, &mut origins.ours)
                };
                own.get_or_insert(seq);
                if acks {
                    other.get_or_insert(ack);
                }
            }
        }
        origins
    }

    /// Relative numbers of SEG.SEQ and SEG.ACK; before the first that is known they are negative.
    pub(super) fn relative(&self, sent: bool, seq: u32, ack: u32) -> (i32, i32) {
        let (own, other) = if sent {
            (self.ours, self.theirs)
        } else {
            (self.theirs, self.ours)
        };
        let from = |number: u32, origin: Option<u32>| {
            number.wrapping_sub(origin.unwrap_or(number)).cast_signed()
        };
        (from(seq, own), from(ack, other))
    }
}

/// Microseconds as seconds.
pub(super) fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// One line for each event.
pub(super) fn text(trace: &Trace) -> String {
    let start = trace.events.first().map_or(0, |event| event.at_us);
    let origins = Origins::of(trace);
    let why = trace.trouble.as_deref().unwrap_or("now");
    let mut text = format!(
        "{} <-> {}, {why}: {} events from Unix time {}, {} older ones forgotten\n",
        trace.local,
        trace.remote,
        trace.events.len(),
        seconds(start),
        trace.forgotten
    );
    for event in &trace.events {
        let at = seconds(event.at_us.saturating_sub(start));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{at:>12}  {}", line(&event.what, &origins));
    }
    text
}

fn line(what: &What, origins: &Origins) -> String {
    match what {
        What::Segment {
            sent,
            seq,
            ack,
            len,
            window,
            flags,
        } => {
            let way = if *sent { '>' } else { '<' };
            let (first, ack) = origins.relative(*sent, *seq, *ack);
            let letters: String = (0..8)
                .filter(|bit| flags >> bit & 1 == 1)
                .map(|bit| FLAGS[bit])
                .collect();
            let last = first.wrapping_add(i32::from(*len));
            let mut line = format!("{way} {letters} {first}:{last}({len})");
            if flags & 0x10 != 0 {
                let _ = write!(line, " ack {ack}");
            }
            let _ = write!(line, " win {window}");
            line
        }
        What::Timer { name, rto_us } => {
            let name = if name == "on" { "retransmission" } else { name };
            format!("* timer {name}, rto {}", seconds(u64::from(*rto_us)))
        }
        What::Congestion { cwnd, ssthresh } => {
            let ssthresh = ssthresh.map_or_else(String::new, |it| format!(" ssthresh {it}"));
            format!("* cwnd {cwnd}{ssthresh}")
        }
        What::Application { took, sent, ended } => {
            let ended = if *ended { ", ended" } else { "" };
            format!("# application took {took}, sent {sent}{ended}")
        }
        What::Closed { reason } => format!("# closed: {reason}"),
    }
}
