//! Retransmissions that were for nothing: F-RTO (RFC 5682), Eifel (RFC 3522, RFC 4015).

use super::trace::{Trace, plain};
use crate::config::{Config, RecoveryConfig, RecoveryFeatures};

fn info(trace: &Trace) -> (u32, Option<u32>, &'static str) {
    let info = trace.end.connection.info();
    (info.cwnd, info.ssthresh, info.recovery)
}

const SACK: &str = "S 0+0 win 60000 mss 1000 sackok";
const NO_SACK: &str = "S 0+0 win 60000 mss 1000";

/// Ten segments and a tail loss probe are late: the timer expires and the first goes again.
fn timed_out(config: Config, syn: &str) -> Trace {
    let mut trace = Trace::accepted(config, syn);
    trace.send(20_000);
    assert_eq!(trace.sent().len(), 10);
    let again = trace.pass(300);
    let last = again.last().expect("a retransmission");
    assert!(last.ends_with(" . 1+1000 ack 1"), "{again:?}");
    assert_eq!(info(&trace).2, "loss");
    trace
}

/// Whether it is one of the ten that were late.
fn is_old(line: &str) -> bool {
    (0..10).any(|n| line.starts_with(&format!(". {}+", n * 1_000 + 1)))
}

/// RFC 5682 2.1 (2b): after the first ACK new text goes instead of old.
fn goes_on_with_new_text(trace: &mut Trace) {
    trace.peer(". 1+0 ack 1001");
    let sent = trace.sent();
    assert!(
        sent.len() == 2 && !sent.iter().any(|line| is_old(line)),
        "{sent:?}"
    );
}

#[test]
fn late_acks_after_a_time_out_undo_it() {
    for syn in [SACK, NO_SACK] {
        let mut trace = timed_out(plain(), syn);
        let before = 10 * 1_000;
        goes_on_with_new_text(&mut trace);
        trace.peer(". 1+0 ack 2001");
        let (cwnd, ssthresh, recovery) = info(&trace);
        assert!(cwnd >= before, "{syn}: {cwnd}");
        assert_eq!((ssthresh, recovery), (None, "open"), "{syn}");
        trace.peer(". 1+0 ack 4001");
        let next = trace.sent();
        assert!(
            !next.is_empty() && !next.iter().any(|line| is_old(line)),
            "{next:?}"
        );
    }
}

#[test]
fn a_duplicate_ack_after_the_first_one_is_a_loss_and_old_text_goes() {
    let mut trace = timed_out(plain(), SACK);
    goes_on_with_new_text(&mut trace);
    trace.peer(". 1+0 ack 1001 sack 11001-12001");
    assert_eq!(trace.sent()[0], ". 1001+1000 ack 1");
    assert_eq!(info(&trace).2, "loss");
    let mut trace = timed_out(plain(), NO_SACK);
    goes_on_with_new_text(&mut trace);
    trace.peer(". 1+0 ack 1001");
    let next = trace.sent();
    assert_eq!(next, [". 1001+1000 ack 1"]);
    assert_eq!(info(&trace).2, "loss");
}

#[test]
fn an_echo_of_before_the_retransmission_undoes_the_time_out() {
    let config = Config {
        timestamps: true,
        ..plain()
    };
    let mut trace = Trace::accepted(config, "S 0+0 win 60000 mss 1000 sackok ts 500/0");
    trace.send(20_000);
    assert_eq!(trace.sent().len(), 10);
    // TSval began at 1,077 and the text went then.
    trace.pass(1_100);
    assert_eq!(info(&trace).2, "loss");
    trace.peer(". 1+0 ack 989 ts 501/1077");
    let (cwnd, ssthresh, recovery) = info(&trace);
    assert!(cwnd >= 9_880, "{cwnd}");
    assert_eq!((ssthresh, recovery), (None, "open"));
    let rto = trace.end.connection.info().rto;
    assert!(
        rto > 3_000_000,
        "RFC 4015 3.2: the path may be as slow as that: {rto}"
    );
}

#[test]
fn an_echo_of_before_says_nothing_of_the_others_that_were_sent_again() {
    let config = Config {
        timestamps: true,
        ..plain()
    };
    let mut trace = Trace::accepted(config, "S 0+0 win 60000 mss 1000 sackok ts 500/0");
    trace.send(9_880);
    assert_eq!(trace.sent().len(), 10);
    // The first two of ten are missing, and go again.
    trace.peer(". 1+0 ack 1 ts 501/1077 sack 1977-9881");
    assert_eq!(trace.sent().len(), 2);
    trace.peer(". 1+0 ack 989 ts 502/1077");
    let (cwnd, ssthresh, recovery) = info(&trace);
    assert!(cwnd < 9_880 && ssthresh.is_some(), "{cwnd}");
    assert_eq!(recovery, "recovery");
}

#[test]
fn an_echo_of_the_retransmission_is_a_loss() {
    let config = Config {
        timestamps: true,
        ..plain()
    };
    let mut trace = Trace::accepted(config, "S 0+0 win 60000 mss 1000 sackok ts 500/0");
    trace.send(20_000);
    trace.sent();
    trace.pass(1_100);
    let resent = trace
        .out
        .last()
        .expect("a segment")
        .header
        .options
        .timestamps;
    let resent = resent.expect("agreed upon").value;
    trace.peer(&format!(". 1+0 ack 989 ts 501/{resent}"));
    assert_eq!(info(&trace).2, "loss");
}

#[test]
fn reordering_that_looked_like_a_loss_is_undone_by_the_echo() {
    let config = Config {
        timestamps: true,
        ..plain()
    };
    let mut trace = Trace::accepted(config, "S 0+0 win 60000 mss 1000 ts 500/0");
    trace.send(20_000);
    assert_eq!(trace.sent().len(), 10);
    let before = info(&trace).0;
    trace.pass(5);
    for _ in 0..3 {
        trace.peer(". 1+0 ack 1 ts 501/1077");
    }
    assert_eq!(info(&trace).2, "recovery");
    trace.sent();
    trace.peer(". 1+0 ack 9881 ts 501/1077");
    let (cwnd, ssthresh, recovery) = info(&trace);
    assert!(cwnd >= before, "{cwnd}");
    assert_eq!((ssthresh, recovery), (None, "open"));
}

#[test]
fn an_old_ack_that_was_overtaken_tells_of_no_duplicate() {
    let mut trace = Trace::accepted(plain(), "S 0+0 win 60000 mss 1000 sackok");
    trace.send(20_000);
    assert_eq!(trace.sent().len(), 10);
    trace.pass(5);
    trace.peer(". 1+0 ack 1 sack 1001-10001");
    assert_eq!(trace.sent()[0], ". 1+1000 ack 1");
    let lost = trace.end.connection.info().ssthresh;
    assert!(lost.is_some());
    trace.pass(5);
    // The copy fills the hole. An ACK of before was overtaken.
    trace.peer(". 1+0 ack 10001");
    trace.sent();
    trace.peer(". 1+0 ack 1 sack 1001-9001");
    assert_eq!(trace.end.connection.info().ssthresh, lost);
}

#[test]
fn a_duplicate_of_the_probe_does_not_make_a_loss_spurious() {
    let mut trace = Trace::accepted(plain(), "S 0+0 win 60000 mss 1000 sackok");
    trace.send(1_000);
    trace.sent();
    trace.pass(20);
    trace.peer(". 1+0 ack 1001");
    trace.send(10_000);
    assert_eq!(trace.sent().len(), 10);
    let probe = trace.pass(60);
    assert_eq!(probe, ["+10 P. 10001+1000 ack 1"]);
    // The ACKs were late: the first segment is lost, all others are there.
    trace.peer(". 1+0 ack 1001 sack 2001-11001");
    let again = trace.sent();
    assert_eq!(again, [". 1001+1000 ack 1"]);
    let lost = trace.end.connection.info().ssthresh;
    assert!(lost.is_some());
    // The copy of the last segment comes twice.
    trace.peer(". 1+0 ack 1001 sack 10001-11001 sack 2001-11001");
    assert_eq!(trace.end.connection.info().ssthresh, lost);
}

#[test]
fn text_of_the_peer_does_not_end_f_rto() {
    for syn in [
        "S 0+0 win 60000 mss 1000 sackok",
        "S 0+0 win 60000 mss 1000",
    ] {
        let mut trace = Trace::accepted(plain(), syn);
        trace.send(20_000);
        assert_eq!(trace.sent().len(), 10);
        trace.pass(300);
        assert_eq!(trace.end.connection.info().recovery, "loss");
        trace.peer(". 1+10 ack 1");
        trace.pass(50);
        trace.peer(". 11+0 ack 1001");
        let sent = trace.sent();
        assert!(
            !sent.iter().any(|line| line.starts_with(". 1001+")),
            "RFC 5682 2.1 (2b): {sent:?}"
        );
        trace.peer(". 11+0 ack 2001");
        assert_eq!(trace.end.connection.info().recovery, "open");
    }
}

#[test]
fn a_duplicate_explains_the_last_loss_whatever_was_sent_again_before() {
    let mut trace = Trace::accepted(plain(), SACK);
    trace.send(10_000);
    assert_eq!(trace.sent().len(), 10);
    // The first is lost. Its copy fills the hole.
    trace.pass(5);
    trace.peer(". 1+0 ack 1 sack 1001-10001");
    trace.expect(&[". 1+1000 ack 1"]);
    trace.pass(5);
    trace.peer(". 1+0 ack 10001");
    let (before, ssthresh, _) = info(&trace);
    assert!(ssthresh.is_some());
    // The first of the next flight is only late: it comes, and then its copy.
    trace.send(5_000);
    assert_eq!(trace.sent().len(), 5);
    trace.pass(5);
    trace.peer(". 1+0 ack 10001 sack 11001-15001");
    trace.expect(&[". 10001+1000 ack 1"]);
    assert!(info(&trace).0 < before);
    trace.peer(". 1+0 ack 15001 sack 10001-11001");
    let (cwnd, undone, recovery) = info(&trace);
    assert!(cwnd >= before, "RFC 3708 3: {cwnd}");
    assert_eq!((undone, recovery), (ssthresh, "open"));
}

/// All but one.
fn without(feature: RecoveryFeatures) -> Config {
    Config {
        recovery: RecoveryConfig {
            features: RecoveryFeatures::all().difference(feature),
            ..RecoveryConfig::DEFAULT
        },
        ..plain()
    }
}

#[test]
fn without_f_rto_a_time_out_lets_old_text_go_after_its_ack() {
    for syn in [SACK, NO_SACK] {
        let mut trace = timed_out(without(RecoveryFeatures::F_RTO), syn);
        trace.peer(". 1+0 ack 1001");
        assert_eq!(trace.sent()[0], ". 1001+1000 ack 1", "{syn}");
    }
}

#[test]
fn without_tail_probes_the_end_of_a_flight_waits_for_the_timer() {
    let mut trace = Trace::accepted(without(RecoveryFeatures::TAIL_PROBE), SACK);
    trace.send(2_000);
    trace.expect(&[". 1+1000 ack 1", "P. 1001+1000 ack 1"]);
    assert_eq!(trace.pass(300)[0], "+200 . 1+1000 ack 1");
}

#[test]
fn without_dsack_what_came_twice_is_not_told() {
    let mut trace = Trace::accepted(without(RecoveryFeatures::DSACK), SACK);
    trace.peer(". 1+1000 ack 1");
    trace.pass(100);
    trace.exchange(". 1+1000 ack 1", &[". 1+0 ack 1001"]);
}
