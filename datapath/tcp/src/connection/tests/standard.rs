//! Requirements of the standards that no other file here needs for its own sake.

use std::time::Duration;

use wirepath_wire::seq::SeqNum;

use super::pair::{PATH, Pair};
use super::trace::{ISS, Trace, line, plain};
use crate::config::{Config, CongestionControl};
use crate::congestion::{AckSample, Congestion};
use crate::connection::Connection;
use crate::isn::Secret;
use crate::negotiated::Path;
use crate::time::{Instant, Millis};

/// An active open on `path`, whose SYN is sent.
fn open_on(path: Path, config: Config) -> Trace {
    let mut trace = Trace::open(config);
    trace.end.connection = Connection::open(trace.now, config, path, ISS, 0);
    assert_eq!(trace.sent().len(), 1);
    trace
}

#[test]
fn no_ack_waits_half_a_second_whatever_the_settings() {
    let config = Config {
        delayed_ack: Millis(5_000),
        ..plain()
    };
    let mut trace = Trace::server(config);
    trace.exchange("P. 1+10 ack 1", &[]);
    let sent = trace.pass(499);
    assert_eq!(sent.len(), 1, "MUST-40");
}

#[test]
fn the_mss_that_is_offered_is_what_the_mtu_leaves() {
    for (mtu, ipv6, mss) in [
        (1_500, false, 1_460),
        (1_500, true, 1_440),
        (9_000, false, 8_960),
        (576, false, 536),
    ] {
        let trace = open_on(Path::from_mtu(mtu, ipv6), plain());
        let syn = line(&trace.out[0].header, 0);
        let expected = format!("S 0+0 mss {mss} ");
        assert!(syn.starts_with(&expected), "MUST-67: {syn}");
    }
}

#[test]
fn what_a_syn_agrees_upon_is_said_on_syns_alone() {
    let mut pair = Pair::crossed(Config::default(), Config::default());
    pair.client.send(&super::text(50_000));
    pair.run(1_000);
    pair.server.connection.shutdown();
    pair.client.connection.shutdown();
    pair.run(1_000);
    for (_, _, sent) in &pair.log {
        let options = &sent.header.options;
        let says = [
            options.mss.is_some(),
            options.window_scale.is_some(),
            options.sack_permitted,
        ];
        let syn = sent.header.flags.contains(wirepath_wire::tcp::Flags::SYN);
        assert_eq!(says, [syn; 3], "MUST-65: {:?}", sent.header);
    }
}

#[test]
fn a_syn_echoes_no_timestamp() {
    let mut trace = Trace::open(Config::default());
    trace.sent();
    let syn = trace.out[0].header.options.timestamps;
    assert_eq!(syn.map(|t| t.echo), Some(0), "RFC 7323 3.2");
}

#[test]
fn every_ack_is_a_sample_and_weighs_its_share_of_the_flight() {
    let mut trace = open_on(PATH, plain());
    trace.now = trace.now + Duration::from_millis(100);
    trace.exchange("S. 0+0 ack 1 mss 1000 sackok", &[". 1+0 ack 1"]);
    trace.send(4_000);
    assert_eq!(trace.sent().len(), 4);
    trace.now = trace.now + Duration::from_millis(180);
    trace.peer(". 1+0 ack 1001");
    // A quarter of 1/8 of 80 ms more.
    assert_eq!(trace.end.connection.info().srtt, 102_500);
    trace.peer(". 1+0 ack 2501");
    // Half of 1/8 of 77.5 ms more.
    assert_eq!(trace.end.connection.info().srtt, 107_344);
}

#[test]
fn srtt_and_rttvar_follow_each_sample_by_an_eighth_and_a_quarter() {
    let mut trace = open_on(PATH, plain());
    trace.now = trace.now + Duration::from_millis(100);
    trace.exchange("S. 0+0 ack 1 mss 1000", &[". 1+0 ack 1"]);
    let measured = |trace: &Trace| {
        let info = trace.end.connection.info();
        (info.srtt, info.rttvar, info.rto)
    };
    assert_eq!(measured(&trace), (100_000, 50_000, 300_000));
    trace.send(10);
    trace.sent();
    trace.now = trace.now + Duration::from_millis(180);
    trace.exchange(". 1+0 ack 11", &[]);
    // RFC 6298 2.3: 3/4 of 50 ms and 1/4 of 80 ms; 7/8 of 100 ms and 1/8 of 180 ms.
    assert_eq!(measured(&trace), (110_000, 57_500, 340_000));
}

#[test]
fn limited_transmit_keeps_to_the_window_of_the_peer() {
    let mut trace = Trace::small_window(plain(), 5_000);
    trace.send(8_000);
    assert_eq!(trace.sent().len(), 5);
    trace.exchange(". 1+0 ack 1", &[]);
    trace.exchange(". 1+0 ack 1", &[]);
    trace.exchange(". 1+0 ack 1", &[". 1+1000 ack 1"]);
}

#[test]
fn the_initial_window_is_ten_segments_or_14600_bytes_or_two_segments() {
    for (mss, cwnd) in [
        (536, 5_360),
        (1_460, 14_600),
        (2_000, 14_600),
        (8_960, 17_920),
    ] {
        let path = Path {
            mss: 8_960,
            ipv6: false,
        };
        let mut trace = open_on(path, plain());
        trace.peer(&format!("S. 0+0 ack 1 mss {mss}"));
        assert_eq!(trace.end.connection.info().cwnd, cwnd, "RFC 6928 2");
    }
}

#[test]
fn a_small_flight_that_is_lost_leaves_two_segments_of_ssthresh() {
    let mut trace = Trace::server(plain());
    trace.send(1_000);
    trace.sent();
    trace.after(200, &["+200 P. 1+1000 ack 1"]);
    let info = trace.end.connection.info();
    assert_eq!((info.cwnd, info.ssthresh), (1_000, Some(2_000)));
}

#[test]
fn an_ack_of_the_peer_is_not_sacked_back_before_there_is_a_hole() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 sackok");
    trace.exchange(". 1+1000 ack 1", &[]);
    trace.exchange(". 1001+1000 ack 1", &[". 1+0 ack 2001"]);
}

#[test]
fn a_back_off_goes_up_to_its_limit_and_no_further() {
    let config = Config {
        user_timeout: Millis::from_secs(10_000),
        ..plain()
    };
    let mut trace = Trace::server(config);
    trace.send(1);
    trace.pass(2_000_000);
    let rto = trace.end.connection.info().rto;
    assert_eq!(rto, 120_000_000, "RFC 6298 2.5: at least 60 s");
}

#[test]
fn a_timestamp_on_an_ack_of_nothing_new_gives_no_sample() {
    let mut trace = Trace::accepted(Config::default(), "S 0+0 mss 1000 ts 1000/0");
    trace.send(10);
    trace.sent();
    trace.after(250, &["+200 P. 1+10 ack 1"]);
    let before = trace.end.connection.info().srtt;
    trace.exchange(". 1+0 ack 1 ts 1001/1077", &[]);
    assert_eq!(trace.end.connection.info().srtt, before, "RFC 7323 4.1");
}

#[test]
fn a_tail_loss_probe_takes_new_text_when_there_is_some() {
    let mut trace = Trace::accepted(plain(), "S 0+0 mss 1000 sackok");
    trace.send(12_000);
    assert_eq!(trace.sent().len(), 10);
    trace.after(10, &["+10 . 10001+1000 ack 1"]);
    assert_eq!(trace.end.connection.counts().retransmissions, 0);
}

#[test]
fn timestamps_begin_elsewhere_for_each_tuple_and_secret() {
    let of = |key: u8, tuple: u32| Secret::new([key; 16]).ts_offset(&tuple);
    assert_eq!(of(7, 1), of(7, 1));
    assert_ne!(of(7, 1), of(7, 2), "RFC 7323 7.1");
    assert_ne!(of(7, 1), of(8, 1));
    let isn = Secret::new([7; 16]).isn(Instant::ZERO, &1_u32);
    assert_ne!(of(7, 1), isn.value(), "one says nothing of the other");
}

#[test]
fn a_time_out_leaves_cubic_one_segment_and_seven_tenths() {
    let config = Config {
        congestion: CongestionControl::Cubic,
        ..plain()
    };
    let mut trace = Trace::server(config);
    trace.send(10_000);
    assert_eq!(trace.sent().len(), 10);
    trace.after(200, &["+200 . 1+1000 ack 1"]);
    let info = trace.end.connection.info();
    assert_eq!((info.cwnd, info.ssthresh), (1_000, Some(7_000)), "4.8");
}

/// CUBIC with a segment of 1,000 bytes, and an ACK of `newly_acked` at `seconds`.
fn cubic_ack(newly_acked: u32, seconds: u64) -> (Congestion, AckSample) {
    let sample = AckSample {
        now: Instant::from_millis(seconds * 1_000),
        newly_acked,
        marked: false,
        cwnd_limited: true,
        paced: false,
        rtt: Some(100_000),
        srtt: 100_000,
        ack: SeqNum::new(0),
        nxt: SeqNum::new(0),
    };
    (Congestion::new(&Config::default(), 1_000, true), sample)
}

#[test]
fn hystart_grows_by_eight_segments_an_ack_at_most() {
    let (mut cubic, ack) = cubic_ack(20_000, 0);
    cubic.on_ack(&ack);
    assert_eq!(cubic.cwnd(), 18_000, "RFC 9406 4.2: L");
}

#[test]
fn cubic_grows_by_half_a_window_a_round_trip_at_most() {
    let (mut cubic, ack) = cubic_ack(1_000, 0);
    cubic.on_loss(100_000);
    cubic.on_ack(&ack);
    let (_, late) = cubic_ack(1_000, 1_000);
    for _ in 0..70 {
        cubic.on_ack(&late);
    }
    assert!((104_000..=105_500).contains(&cubic.cwnd()), "RFC 9438 4.4");
}

#[test]
fn time_in_which_cwnd_was_not_used_gives_cubic_no_growth() {
    let (mut cubic, ack) = cubic_ack(1_000, 0);
    cubic.on_loss(100_000);
    cubic.on_ack(&ack);
    let (_, late) = cubic_ack(1_000, 1_000);
    cubic.on_ack(&AckSample {
        cwnd_limited: false,
        paced: false,
        ..late
    });
    cubic.on_ack(&late);
    assert!((70_000..70_100).contains(&cubic.cwnd()), "RFC 9438 5.8");
}

#[test]
fn a_round_trip_that_falls_again_goes_back_to_slow_start() {
    let (mut cubic, ack) = cubic_ack(1_000, 0);
    let mut seq = SeqNum::new(0);
    let mut round = |rtt| {
        let before = cubic.cwnd();
        let end = seq + before;
        while seq.before(end) {
            seq += 1_000;
            let nxt = seq + cubic.cwnd();
            cubic.on_ack(&AckSample {
                rtt: Some(rtt),
                ack: seq,
                nxt,
                ..ack
            });
        }
        (cubic.cwnd() - before) * 10 / before
    };
    assert_eq!([round(100_000), round(100_000)], [10, 10], "it doubles");
    round(113_000);
    assert!(round(113_000) <= 3, "a quarter of that");
    round(100_000);
    assert_eq!(round(100_000), 10, "RFC 9406 4.2");
}
