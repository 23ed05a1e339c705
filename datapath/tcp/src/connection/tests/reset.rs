//! RST and SYN in every state: RFC 9293 3.10.7.4, RFC 5961 3 and 4.

use super::trace::{Trace, plain};
use super::{CloseReason, DropReason, Event};
use crate::config::Config;
use crate::state::State;

const SYNCHRONIZED: [State; 7] = [
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
    State::TimeWait,
];

/// A connection in `state`; its ACK, and the peer's next sequence number.
fn in_state(state: State) -> (Trace, &'static str, i64) {
    let mut trace = Trace::server(plain());
    let passive = matches!(state, State::CloseWait | State::LastAck);
    if passive {
        trace.peer("F. 1+0 ack 1");
        trace.sent();
    }
    if !matches!(state, State::Established | State::CloseWait) {
        trace.shutdown();
        trace.sent();
    }
    if matches!(state, State::FinWait2 | State::TimeWait) {
        trace.exchange(". 1+0 ack 2", &[]);
    }
    if matches!(state, State::Closing | State::TimeWait) {
        trace.peer(if state == State::Closing {
            "F. 1+0 ack 1"
        } else {
            "F. 1+0 ack 2"
        });
        trace.sent();
    }
    assert_eq!(trace.state(), state);
    trace.events();
    let (answer, next) = match state {
        State::Established => (". 1+0 ack 1", 1),
        State::FinWait1 | State::FinWait2 => (". 2+0 ack 1", 1),
        State::CloseWait => (". 1+0 ack 2", 2),
        _ => (". 2+0 ack 2", 2),
    };
    (trace, answer, next)
}

#[test]
fn only_a_reset_at_rcv_nxt_counts() {
    let window = 65_535;
    for state in SYNCHRONIZED {
        let edges: [(i64, bool); 6] = [
            (-1, false),
            (0, false),
            (1, true),
            (window - 2, true),
            (window, false),
            (-70_000, false),
        ];
        for (offset, inside) in edges {
            let (mut trace, answer, next) = in_state(state);
            if offset == 0 {
                continue;
            }
            let answers = if inside { vec![answer] } else { vec![] };
            trace.exchange(&format!("R {}+0", next + offset), &answers);
            assert_eq!(trace.state(), state, "RST at RCV.NXT + {offset}");
        }
    }
}

#[test]
fn a_reset_at_rcv_nxt_ends_every_state_but_time_wait() {
    for state in SYNCHRONIZED {
        let (mut trace, _, next) = in_state(state);
        trace.exchange(&format!("R. {next}+0 ack 1"), &[]);
        if state == State::TimeWait {
            assert_eq!(trace.state(), State::TimeWait, "RFC 1337");
            continue;
        }
        let over = matches!(state, State::Closing | State::LastAck);
        let reason = if over {
            CloseReason::Finished
        } else {
            CloseReason::Reset
        };
        assert_eq!(trace.events(), [Event::Closed(reason)], "{state}");
        assert_eq!(trace.end.connection.next_deadline(), None);
    }
}

#[test]
fn a_reset_may_carry_text() {
    let mut trace = Trace::server(plain());
    trace.exchange("R. 1+30 ack 1", &[]);
    trace.has_read(0);
    assert_eq!(
        trace.events(),
        [Event::Closed(CloseReason::Reset)],
        "SHLD-2"
    );
}

#[test]
fn a_syn_is_challenged_in_every_state() {
    for state in SYNCHRONIZED {
        for offset in [-100_000, -1, 0, 1, 100_000] {
            for flags in ["S", "S.", "FS", "S."] {
                let (mut trace, answer, next) = in_state(state);
                let line = format!("{flags} {}+0 ack 1", next + offset);
                trace.exchange(&line, &[answer]);
                assert_eq!(trace.state(), state, "{line}");
            }
        }
    }
}

#[test]
fn a_syn_of_a_peer_that_lost_its_timestamps_is_challenged() {
    let mut trace = Trace::accepted(Config::default(), "S 0+0 mss 1000 ts 50/0");
    trace.exchange("S 7000+0", &[". 1+0 ack 1"]);
    assert_eq!(trace.state(), State::Established);
}

#[test]
fn challenges_are_sent_no_more_than_twice_a_second() {
    let mut trace = Trace::server(plain());
    let mut answers = 0;
    for _ in 0..100 {
        for line in [
            "S 9+0",
            "R 9+0",
            ". -9+0 ack 1",
            ". 1+0 ack 900000",
            "P. 1+9 ack 900000",
        ] {
            trace.peer(line);
            answers += trace.sent().len();
        }
        answers += trace.pass(10).len();
    }
    assert_eq!(answers, 2, "RFC 5961 7");
    trace.after(500, &[]);
    trace.exchange("S 9+0", &[". 1+0 ack 1"]);
}

#[test]
fn a_segment_without_ack_is_dropped() {
    let mut trace = Trace::server(plain());
    trace.exchange("P 1+10", &[]);
    assert_eq!(trace.dropped, Some(DropReason::NoAck));
    trace.exchange("F 1+0", &[]);
    assert_eq!(trace.state(), State::Established);
    trace.has_read(0);
}

#[test]
fn our_reset_carries_the_timestamps_that_were_agreed_upon() {
    let mut trace = Trace::accepted(Config::default(), "S 0+0 mss 1000 ts 50/0");
    trace.abort();
    trace.expect(&["R. 1+0 ack 1"]);
    let sent = trace.out.last().expect("the reset");
    assert_eq!(sent.header.options.timestamps.map(|t| t.echo), Some(50));
}
