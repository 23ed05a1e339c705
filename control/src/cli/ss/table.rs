//! Connections in columns, as `ss -tino` shows them.

use std::fmt::Write as _;

use crate::api::{Details, Flow, Timer};

/// A table that is printed by pages.
#[derive(Debug)]
pub(super) struct Table {
    info: bool,
    timers: bool,
    /// Widths of the columns of addresses, from what has come so far.
    widths: Option<[usize; 2]>,
}

impl Table {
    pub(super) const fn new(info: bool, timers: bool) -> Self {
        Self {
            info,
            timers,
            widths: None,
        }
    }

    /// The lines of these flows, after the heading if they are the first.
    pub(super) fn page(&mut self, flows: &[Flow]) -> String {
        let mut text = String::new();
        let widths = *self.widths.get_or_insert_with(|| {
            let widths = widths(flows);
            text = heading(widths);
            widths
        });
        for flow in flows {
            let Flow {
                state,
                recv_queue,
                send_queue,
                local,
                remote,
                ..
            } = flow;
            let ends = [local.to_string(), remote.to_string()];
            let mut line = format!("{state:<12} {recv_queue:>7} {send_queue:>7} ");
            line += &columns(&ends, widths);
            if let Some(timer) = flow.timer.as_ref().filter(|_| self.timers) {
                line = format!("{} {}", line, timer_of(timer));
            }
            text.push_str(line.trim_end());
            text.push('\n');
            if let Some(details) = flow.details.as_ref().filter(|_| self.info) {
                text.push_str(&line_of(details));
            }
        }
        text
    }
}

const ENDS: [&str; 2] = ["Local Address:Port", "Peer Address:Port"];

fn widths(flows: &[Flow]) -> [usize; 2] {
    let longest = |end: fn(&Flow) -> String, heading: &str| {
        let longest = flows.iter().map(|flow| end(flow).len()).max();
        longest.unwrap_or(0).max(heading.len())
    };
    [
        longest(|flow| flow.local.to_string(), ENDS[0]),
        longest(|flow| flow.remote.to_string(), ENDS[1]),
    ]
}

fn heading(widths: [usize; 2]) -> String {
    let ends = columns(&ENDS.map(str::to_owned), widths);
    format!(
        "{:<12} {:>7} {:>7} {}\n",
        "State",
        "Recv-Q",
        "Send-Q",
        ends.trim_end()
    )
}

fn columns([local, remote]: &[String; 2], [here, there]: [usize; 2]) -> String {
    format!("{local:<here$} {remote:<there$}")
}

/// As ss(8) writes it: `timer:(on,204ms,0)`.
fn timer_of(timer: &Timer) -> String {
    let Timer {
        name,
        expires_ms,
        retries,
    } = timer;
    let (minutes, seconds) = (expires_ms / 60_000, expires_ms / 1_000 % 60);
    let expires = match expires_ms {
        0..1_000 => format!("{expires_ms}ms"),
        1_000..60_000 => format!("{:.1}sec", *expires_ms as f64 / 1_000.0),
        _ => format!("{minutes}min{seconds}sec"),
    };
    format!("timer:({name},{expires},{retries})")
}

fn line_of(details: &Details) -> String {
    let mut line = String::from("\t");
    // Writing to a string cannot fail.
    let _ = write!(
        line,
        "{}{}{} {}",
        details.congestion,
        if details.timestamps { " ts" } else { "" },
        if details.sack { " sack" } else { "" },
        details.recovery,
    );
    round_trips(&mut line, details);
    windows(&mut line, details);
    let _ = write!(
        line,
        " bytes_acked:{} bytes_received:{} segs_out:{} segs_in:{} retrans:{}",
        details.bytes_acked,
        details.bytes_received,
        details.segments_out,
        details.segments_in,
        details.retransmissions,
    );
    losses(&mut line, details);
    rates(&mut line, details);
    line.push('\n');
    line
}

fn round_trips(line: &mut String, details: &Details) {
    let millis = |micros: u32| f64::from(micros) / 1_000.0;
    let (snd, rcv) = details.window_scale;
    let _ = write!(
        line,
        " wscale:{snd},{rcv} rto:{} rtt:{:.3}/{:.3}",
        millis(details.rto_us),
        millis(details.srtt_us),
        millis(details.rttvar_us),
    );
    if let Some(min_rtt) = details.min_rtt_us {
        let _ = write!(line, " minrtt:{:.3}", millis(min_rtt));
    }
}

fn windows(line: &mut String, details: &Details) {
    let _ = write!(
        line,
        " mss:{} pmtu:{} cwnd:{}",
        details.smss, details.path_mtu, details.cwnd
    );
    if let Some(ssthresh) = details.ssthresh {
        let _ = write!(line, " ssthresh:{ssthresh}");
    }
    let _ = write!(
        line,
        " snd_wnd:{} rcv_wnd:{}",
        details.snd_wnd, details.rcv_wnd
    );
}

/// Only what is not zero, as ss(8) does.
fn losses(line: &mut String, details: &Details) {
    let counts = [
        ("notsent", details.unsent),
        ("in_flight", details.in_flight),
        ("sacked", details.sacked),
        ("lost", details.lost),
    ];
    for (name, count) in counts.into_iter().filter(|&(_, count)| count > 0) {
        let _ = write!(line, " {name}:{count}");
    }
    if let Some(window) = details.reordering_window_us {
        let _ = write!(line, " reo_wnd:{:.3}", f64::from(window) / 1_000.0);
    }
}

fn rates(line: &mut String, details: &Details) {
    let rates = [
        ("pacing_rate", details.pacing_rate),
        ("delivery_rate", details.delivery_rate),
    ];
    for (name, rate) in rates {
        if let Some(rate) = rate {
            // ss(8) counts bits.
            let _ = write!(line, " {name} {}bps", rate.saturating_mul(8));
        }
    }
    if details.app_limited {
        line.push_str(" app_limited");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(expires_ms: u64) -> String {
        let name = "on".to_owned();
        timer_of(&Timer {
            name,
            expires_ms,
            retries: 1,
        })
    }

    #[test]
    fn timers_are_written_as_ss_writes_them() {
        assert_eq!(timer(204), "timer:(on,204ms,1)");
        assert_eq!(timer(3_600), "timer:(on,3.6sec,1)");
        assert_eq!(timer(7_199_999), "timer:(on,119min59sec,1)");
    }

    #[test]
    fn pages_have_one_heading_and_the_same_columns() {
        let flow = |remote: &str| Flow {
            state: "TIME-WAIT".to_owned(),
            local: "192.0.2.1:7".parse().unwrap(),
            remote: remote.parse().unwrap(),
            recv_queue: 0,
            send_queue: 0,
            timer: None,
            details: None,
        };
        let mut table = Table::new(true, true);
        let pages = table.page(&[flow("192.0.2.2:50000")]) + &table.page(&[flow("192.0.2.3:1")]);
        let lines: Vec<&str> = pages.lines().collect();
        assert_eq!(lines.len(), 3, "{pages}");
        let column = lines[0].find("Peer Address").unwrap();
        assert_eq!(&lines[1][column..], "192.0.2.2:50000");
        assert_eq!(&lines[2][column..], "192.0.2.3:1");
    }
}
