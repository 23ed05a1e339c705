//! Text on a SYN: RFC 7413.

use super::pair::{End, PATH};
use super::trace::{IRS, ISS, line, parse, plain};
use super::{DropReason, text};
use crate::buffer::BlockPool;
use crate::config::Config;
use crate::connection::Connection;
use crate::half_open::HalfOpen;
use crate::state::State;
use crate::time::Instant;

/// After a SYN with so many bytes and a good cookie, which the application has read.
fn opened_by(len: u32, config: Config) -> (Instant, End) {
    let now = Instant::from_millis(1_000);
    let config = Config {
        fast_open: true,
        ..config
    };
    let syn = parse(&format!("S 0+{len} win 60000 mss 1000"), 60_000);
    let half_open = HalfOpen::new(now, &syn.header, &config, ISS, 0);
    let (mut pool, done) = (BlockPool::new(384), half_open.handshake());
    let (connection, received) =
        Connection::accept_early(now, (config, PATH), &done, &syn.segment(), &mut pool);
    let text = received.text.to_vec();
    let mut end = End {
        pool,
        ..End::new(connection)
    };
    end.connection.settle(&mut end.pool, &text, text.len());
    (now, end)
}

/// After a SYN with ten bytes.
fn early() -> (Instant, End) {
    opened_by(10, plain())
}

fn sent(now: Instant, end: &mut End) -> Vec<String> {
    let lines = std::iter::from_fn(|| end.poll(now));
    lines.map(|s| line(&s.header, s.text.len())).collect()
}

#[test]
fn the_window_that_a_fast_open_promises_is_kept() {
    let config = Config {
        receive_buffer: 4_096,
        ..plain()
    };
    let (now, mut end) = opened_by(1_000, config);
    let syn_ack = end.poll(now).expect("a SYN-ACK").header;
    assert_eq!(syn_ack.ack.distance_from(IRS), 1_001);
    assert_eq!(syn_ack.window.0, 3_096, "text on the SYN is in the buffer");
    for segment in [
        ". 1001+1000 ack 1",
        ". 2001+1000 ack 1",
        ". 3001+1096 ack 1",
    ] {
        end.on(now, &parse(segment, 60_000));
    }
    let ack = end.poll(now).expect("an ACK");
    assert_eq!(line(&ack.header, 0), ". 1+0 ack 4097");
}

#[test]
fn the_answer_to_text_on_a_syn_goes_before_the_handshake_is_done() {
    let (now, mut end) = early();
    end.send(&text(5));
    assert_eq!(
        sent(now, &mut end),
        ["S. 0+0 ack 11 mss 1460", "P. 1+5 ack 11"]
    );
    assert_eq!(end.connection.state(), State::SynReceived);
    end.on(now, &parse(". 11+0 ack 6", 60_000));
    assert_eq!(end.connection.state(), State::Established);
}

#[test]
fn a_syn_that_comes_again_gets_the_syn_ack_again_and_its_text_is_not_taken_twice() {
    let (now, mut end) = early();
    assert_eq!(sent(now, &mut end).len(), 1);
    let (reply, dropped) = end.on_with_verdict(now, &parse("S 0+10 mss 1000", 60_000));
    assert_eq!((reply, dropped), (None, Some(DropReason::OutOfWindow)));
    assert_eq!(sent(now, &mut end), ["S. 0+0 ack 11 mss 1460"]);
    assert_eq!(end.connection.unread(), 0);
}

#[test]
fn a_syn_from_elsewhere_in_the_stream_gets_no_syn_ack() {
    let (now, mut end) = early();
    sent(now, &mut end);
    let (_, dropped) = end.on_with_verdict(now, &parse("S 5+0 mss 1000", 60_000));
    assert!(dropped.is_some());
    let again = sent(now, &mut end);
    assert!(again.iter().all(|line| !line.starts_with('S')), "{again:?}");
}
