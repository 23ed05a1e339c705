//! Flow control: RFC 9293 3.8.6.

use super::pair::{End, Pair};
use super::trace::{Trace, plain};
use super::{CloseReason, Event, text};
use crate::config::Config;
use crate::state::State;
use crate::time::Millis;

fn small() -> Config {
    Config {
        receive_buffer: 4_096,
        ..plain()
    }
}

/// After text of ours that filled the peer's window.
fn window_closed() -> Trace {
    let mut trace = Trace::small_window(plain(), 2_000);
    trace.send(3_000);
    trace.expect(&[". 1+1000 ack 1", ". 1001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 2001 win 0", &[]);
    trace
}

/// Nobody reads from two MiB, and the window is told in units of so many bytes.
fn scaled() -> (Trace, u32) {
    let config = Config {
        receive_buffer: 2 << 20,
        ..plain()
    };
    let mut trace = Trace::accepted(config, "S 0+0 mss 1000 ws 0");
    trace.end.reads = false;
    (trace, 1 << 6)
}

/// Window field of the last segment that went out.
fn offered(trace: &Trace) -> u32 {
    trace.out.last().expect("a segment").header.window.0.into()
}

#[test]
fn a_closed_window_is_probed_ever_more_slowly() {
    let mut trace = window_closed();
    let probe = |second| format!("+{second} . 2001+1 ack 1");
    let times = [
        200, 600, 1_400, 3_000, 6_200, 12_600, 25_400, 51_000, 102_200, 204_600,
    ];
    assert_eq!(trace.pass(250_000), times.map(probe));
}

#[test]
fn probing_goes_on_as_long_as_it_is_answered() {
    let mut trace = window_closed();
    let mut last = 0;
    for _ in 0..200 {
        let sent = trace.pass(60_000);
        assert!(sent.len() <= 8, "{sent:?}");
        last = sent.len();
        trace.peer(". 1+0 ack 2001 win 0");
    }
    assert_eq!(
        trace.events(),
        [],
        "MUST-37: three hours and twenty minutes"
    );
    assert!(last <= 1, "SHLD-30: {last} probes in the last minute");
}

#[test]
fn probes_that_nobody_answers_end_the_connection() {
    let mut trace = window_closed();
    trace.pass(1_000_000);
    assert_eq!(trace.events(), [Event::Closed(CloseReason::TimedOut)]);
}

#[test]
fn a_window_that_opens_lets_text_go_at_once() {
    let mut trace = window_closed();
    trace.after(700, &["+200 . 2001+1 ack 1", "+600 . 2001+1 ack 1"]);
    // The probe was not taken: it goes again with what follows.
    trace.exchange(". 1+0 ack 2001 win 2000", &["P. 2001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 3001", &[]);
    trace.after(10_000, &[]);
}

#[test]
fn a_window_update_that_was_lost_is_found_by_the_next_probe() {
    let mut trace = window_closed();
    trace.after(200, &["+200 . 2001+1 ack 1"]);
    trace.exchange(". 1+0 ack 2002 win 1999", &["P. 2002+999 ack 1"]);
}

#[test]
fn a_probe_that_is_taken_leaves_the_probing_going() {
    let mut trace = window_closed();
    trace.after(200, &["+200 . 2001+1 ack 1"]);
    trace.exchange(". 1+0 ack 2002 win 0", &[]);
    let sent = trace.pass(2_000);
    assert!(
        sent.len() >= 2 && sent[0].ends_with(". 2002+1 ack 1"),
        "{sent:?}"
    );
}

#[test]
fn probes_give_no_rtt_sample() {
    let mut trace = window_closed();
    let before = trace.end.connection.info().srtt;
    trace.pass(20_000);
    trace.exchange(". 1+0 ack 2002 win 0", &[]);
    assert_eq!(trace.end.connection.info().srtt, before);
}

#[test]
fn a_probe_that_was_refused_does_not_put_our_acks_out_of_the_window() {
    let mut trace = window_closed();
    trace.after(200, &["+200 . 2001+1 ack 1"]);
    trace.exchange("P. 1+10 ack 2001 win 0", &[]);
    trace.after(40, &["+40 . 2001+0 ack 11"]);
    trace.abort();
    trace.expect(&["R. 2001+0 ack 11"]);
}

#[test]
fn a_window_that_only_its_shift_made_smaller_does_not_pull_our_acks_back() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 ws 4");
    trace.exchange(". 1+0 ack 1 win 100", &[]);
    trace.configure(|config| config.nagle = false);
    trace.send(1_600);
    trace.expect(&[". 1+1000 ack 1", "P. 1001+600 ack 1"]);
    // 37 * 16 = 592 for 600 that are on their way; 30 * 16 is another matter.
    trace.exchange("P. 1+10 ack 1001 win 37", &[]);
    trace.after(40, &["+40 . 1601+0 ack 11"]);
    trace.exchange("P. 11+10 ack 1001 win 30", &[]);
    trace.after(40, &["+40 . 1481+0 ack 21"]);
}

#[test]
fn a_fin_alone_probes_a_closed_window() {
    let mut trace = Trace::small_window(plain(), 2_000);
    trace.exchange(". 1+0 ack 1 win 0", &[]);
    trace.shutdown();
    trace.expect(&[]);
    trace.after(200, &["+200 F. 1+0 ack 1"]);
    trace.exchange(". 1+0 ack 2 win 0", &[]);
    assert_eq!(trace.state(), State::FinWait2);
}

#[test]
fn an_old_segment_does_not_move_the_window() {
    let mut trace = Trace::server(plain());
    trace.send(2_000);
    trace.sent();
    trace.exchange("P. 1+10 ack 1001 win 9000", &[]);
    trace.exchange("P. 11+10 ack 2001 win 8000", &[]);
    let snd_wnd = |trace: &Trace| trace.end.connection.info().snd_wnd;
    // Older by SEG.SEQ, then by SEG.ACK.
    trace.peer(". 1+0 ack 2001 win 500");
    assert_eq!(snd_wnd(&trace), 8_000);
    trace.peer("P. 21+10 ack 1001 win 600");
    assert_eq!(snd_wnd(&trace), 8_000);
    trace.peer(". 31+0 ack 2001 win 700");
    assert_eq!(snd_wnd(&trace), 700);
}

#[test]
fn a_window_that_shrinks_stops_new_text_and_what_is_beyond_waits() {
    let mut trace = Trace::server(plain());
    trace.send(4_000);
    assert_eq!(trace.sent().len(), 4);
    trace.exchange(". 1+0 ack 1001 win 500", &[]);
    trace.send(4_000);
    trace.expect(&[]);
    // SHLD-16, SHLD-17: again only what is inside.
    trace.after(200, &["+200 . 1001+500 ack 1"]);
    trace.exchange(". 1+0 ack 1501 win 0", &[]);
    let probes = trace.pass(3_000);
    assert!(
        probes.iter().all(|line| line.ends_with(". 1501+1 ack 1")),
        "{probes:?}"
    );
    trace.exchange(". 1+0 ack 1501 win 60000", &[". 1501+1000 ack 1"]);
}

#[test]
fn a_window_that_shrank_to_nothing_may_stay_so_while_the_peer_answers() {
    let mut trace = Trace::server(plain());
    trace.send(3_000);
    trace.sent();
    trace.exchange(". 1+0 ack 1001 win 0", &[]);
    for _ in 0..60 {
        let sent = trace.pass(20_000);
        assert!(
            sent.iter().all(|line| line.ends_with(". 1001+1 ack 1")),
            "{sent:?}"
        );
        trace.peer(". 1+0 ack 1001 win 0");
    }
    assert_eq!(trace.events(), [], "MUST-37");
    trace.exchange(
        ". 1+0 ack 1001 win 60000",
        &[". 1001+1000 ack 1", "P. 2001+1000 ack 1"],
    );
}

#[test]
fn the_edge_never_retreats_and_the_window_closes_with_the_buffer() {
    let mut trace = Trace::server(small());
    trace.end.reads = false;
    let mut edge = 0;
    for at in (1..=4_001).step_by(500) {
        let len = 500.min(4_097 - at);
        trace.peer(&format!("P. {at}+{len} ack 1"));
        trace.pass(50);
        let now = at + len + offered(&trace);
        assert!(now >= edge, "{now} after {edge}");
        edge = now;
    }
    assert_eq!(offered(&trace), 0);
    assert_eq!(edge, 4_097);
    trace.exchange("P. 4097+1 ack 1", &[". 1+0 ack 4097"]);
    assert_eq!(trace.end.connection.unread(), 4_096);
}

#[test]
fn the_window_opens_only_by_what_is_worth_a_segment() {
    let mut trace = Trace::server(small());
    trace.end.reads = false;
    for at in (1..4_000).step_by(1_024) {
        trace.peer(&format!("P. {at}+1024 ack 1"));
    }
    trace.expect(&[". 1+0 ack 4097"]);
    assert_eq!(offered(&trace), 0);
    let mut take = |count: usize| {
        let End {
            connection, pool, ..
        } = &mut trace.end;
        connection.consume(pool, count);
        trace.sent().len()
    };
    // One byte at a time: RFC 9293 3.8.6.2.2.
    let updates: Vec<usize> = (0..2_000).map(|_| take(1)).collect();
    assert_eq!(updates.iter().sum::<usize>(), 1);
    assert!(offered(&trace) >= 1_024);
}

#[test]
fn text_up_to_an_edge_that_rounding_pulled_back_is_taken() {
    let (mut trace, unit) = scaled();
    // Byte after byte until an ACK says less than one before it.
    let (mut at, mut promised, mut said) = (1, 0, 0);
    while said >= promised {
        promised = said;
        trace.peer(&format!("P. {at}+1 ack 1"));
        at += 1;
        trace.pass(40);
        said = at + offered(&trace) * unit;
    }
    assert!(promised - said < unit, "{promised}, then {said}");
    // The last byte of the promise lies beyond what was said last.
    while at < promised {
        let len = (promised - at).min(1_000);
        trace.peer(&format!("P. {at}+{len} ack 1"));
        at += len;
    }
    assert_eq!(trace.dropped, None);
    assert_eq!(trace.end.connection.unread(), promised - 1);
}

#[test]
fn a_scaled_window_neither_retreats_nor_grows_beyond_the_buffer() {
    let (mut trace, unit) = scaled();
    let mut edge = 0;
    // One byte at a time: each could be rounded up again.
    for at in 1..3_000 {
        trace.peer(&format!("P. {at}+1 ack 1"));
        for sent in trace.end.poll(trace.now).into_iter() {
            let now = at + 1 + u32::from(sent.header.window.0) * unit;
            assert!(now + unit > edge, "{now} after {edge}");
            edge = edge.max(now);
        }
    }
    assert!(edge <= (2 << 20) + 1 + unit, "{edge}");
}

#[test]
fn reading_does_not_send_updates_that_nobody_needs() {
    let config = Config {
        window_scaling: false,
        ..plain()
    };
    let mut trace = Trace::server(config);
    trace.end.reads = false;
    trace.peer("P. 1+100 ack 1");
    trace.pass(100);
    let before = trace.out.len();
    let End {
        connection, pool, ..
    } = &mut trace.end;
    connection.consume(pool, 100);
    trace.expect(&[]);
    assert_eq!(trace.out.len(), before);
}

#[test]
fn a_zero_window_still_takes_acks_and_resets_and_urgent_text() {
    let full = || {
        let mut trace = Trace::server(small());
        trace.end.reads = false;
        trace.send(100);
        trace.sent();
        trace.peer("P. 1+2048 ack 1");
        trace.exchange("P. 2049+2048 ack 1", &[". 101+0 ack 4097"]);
        trace
    };
    let mut trace = full();
    trace.exchange("U. 4097+0 ack 51 urg 9", &[]);
    assert_eq!(trace.events(), [Event::Urgent]);
    assert_eq!(trace.end.connection.info().send_queue, 50, "MUST-66");
    // The probe's text is refused, its ACK counts.
    trace.exchange("P. 4097+1 ack 101", &[". 101+0 ack 4097"]);
    assert_eq!(trace.end.connection.info().send_queue, 0);
    trace.exchange("R 4097+0", &[]);
    assert_eq!(trace.events(), [Event::Closed(CloseReason::Reset)]);
    // As Linux probes: an empty segment of before RCV.NXT.
    let mut trace = full();
    trace.exchange(". 4096+0 ack 101", &[". 101+0 ack 4097"]);
}

#[test]
fn a_reader_that_stops_and_starts_gets_everything() {
    let server = Config {
        receive_buffer: 8_192,
        ..Config::default()
    };
    let mut pair = Pair::established(Config::default(), server);
    let sent = text(60_000);
    assert_eq!(pair.client.send(&sent), sent.len());
    for round in 0..40 {
        pair.server.reads = round % 2 == 1;
        if pair.server.reads {
            pair.server.read();
        }
        pair.run(1_000);
    }
    assert_eq!(pair.server.received, sent);
}

#[test]
fn a_window_update_that_is_lost_costs_one_probe() {
    let server = Config {
        receive_buffer: 8_192,
        ..Config::default()
    };
    let mut pair = Pair::established(Config::default(), server);
    pair.server.reads = false;
    let sent = text(20_000);
    pair.client.send(&sent);
    pair.run(1_000);
    pair.server.reads = true;
    pair.server.read();
    pair.lose = Box::new(|_, by_client| !by_client);
    pair.run(1);
    pair.lose = Box::new(|_, _| false);
    pair.run(5_000);
    assert_eq!(pair.server.received, sent);
}

#[test]
fn a_small_buffer_is_used_without_waiting_for_delayed_acks() {
    let server = Config {
        receive_buffer: 2_048,
        ..plain()
    };
    let mut pair = Pair::established(plain(), server);
    let sent = text(20_000);
    pair.client.send(&sent);
    pair.run(500);
    assert_eq!(pair.server.received, sent, "20 round trips of 20 ms");
}

#[test]
fn a_window_that_stays_closed_ends_the_connection_where_a_limit_is_set() {
    let mut trace = Trace::server(Config {
        stall_timeout: Some(Millis::from_secs(30)),
        ..plain()
    });
    trace.peer(". 1+0 ack 1 win 0");
    trace.send(100);
    trace.sent();
    for _ in 0..29 {
        trace.pass(1_000);
        trace.peer(". 1+0 ack 1 win 0");
    }
    assert_eq!(trace.events(), [], "RFC 9293 3.8.6.1 (MUST-37)");
    trace.pass(30_000);
    assert_eq!(trace.events(), [Event::Closed(CloseReason::Stalled)]);
}

#[test]
fn a_window_that_opens_now_and_then_is_no_stall() {
    let mut trace = Trace::server(Config {
        stall_timeout: Some(Millis::from_secs(30)),
        ..plain()
    });
    trace.peer(". 1+0 ack 1 win 0");
    trace.send(100);
    for taken in 1..20 {
        trace.pass(20_000);
        trace.peer(&format!(". 1+0 ack {taken} win 1"));
        trace.sent();
        trace.peer(&format!(". 1+0 ack {} win 0", taken + 1));
    }
    assert_eq!(trace.events(), []);
}

#[test]
fn a_probe_that_takes_the_last_byte_ends_the_probing() {
    let mut trace = Trace::small_window(plain(), 2_000);
    trace.send(2_001);
    trace.expect(&[". 1+1000 ack 1", ". 1001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 2001 win 0", &[]);
    trace.after(200, &["+200 P. 2001+1 ack 1"]);
    trace.exchange(". 1+0 ack 2002 win 0", &[]);
    let sent = trace.pass(600_000);
    assert_eq!(trace.events(), []);
    assert_eq!(trace.state(), State::Established);
    assert_eq!(sent, [""; 0]);
}

#[test]
fn a_fin_that_a_closed_window_takes_ends_the_probing() {
    let mut trace = Trace::small_window(plain(), 2_000);
    trace.send(2_000);
    trace.expect(&[". 1+1000 ack 1", "P. 1001+1000 ack 1"]);
    trace.exchange(". 1+0 ack 2001 win 0", &[]);
    trace.shutdown();
    trace.expect(&[]);
    trace.after(200, &["+200 F. 2001+0 ack 1"]);
    trace.exchange(". 1+0 ack 2002 win 0", &[]);
    assert_eq!(trace.state(), State::FinWait2);
    trace.pass(600_000);
    assert_eq!(trace.events(), [], "HALF_CLOSED_IDLE is two hours");
}
