//! ICMP errors on their way to a connection: RFC 9293 3.9.2.2 (MUST-54).

use wirepath_tcp::config::Config;
use wirepath_tcp::connection::SoftError;
use wirepath_tcp::state::State;
use wirepath_wire::icmp::{self, Cause, Unreachable};
use wirepath_wire::ip::{self, Protocol, TrafficClass};
use wirepath_wire::tcp::Flags;

use crate::lab::{Lab, OURS, Sent, Told, frame_of, tuple, v4};
use wirepath_sim::by_hand;

/// An ICMP error of the router 10.0.0.254 about a segment of ours.
fn report(lab: &mut Lab, cause: Cause, sent: &Sent) {
    let reversed = wirepath_wire::tuple::Tuple {
        local: sent.tuple.local,
        remote: sent.tuple.remote,
    };
    let quoted = frame_of(OURS, &reversed, &sent.header, &sent.text);
    let mut message = vec![0; 576];
    let len = icmp::emit_report(&mut message, cause, &quoted[14..]).expect("room");
    message.truncate(len);
    let packet = ip::Header {
        source: v4(254),
        destination: v4(1),
        protocol: Protocol::ICMP,
        traffic_class: TrafficClass(0),
        hop_limit: 64,
    };
    lab.frame(&by_hand::frame(OURS, &packet, &message));
}

/// A connection with 1,000 bytes of ours in flight, and their segment.
fn in_flight() -> (Lab, Sent) {
    let mut lab = Lab::new(Config::default());
    let syn_ack = lab.open(&tuple(50));
    lab.segment(
        &tuple(50),
        &Lab::answer(&syn_ack, 1, Flags::ACK),
        &[b'x'; 1_000],
    );
    let sent = lab.one();
    assert_eq!(sent.text.len(), 1_000);
    lab.told();
    (lab, sent)
}

#[test]
fn an_error_reaches_its_connection_and_its_application() {
    let (mut lab, sent) = in_flight();
    report(&mut lab, Cause::Unreachable(Unreachable::Host), &sent);
    let told = SoftError::Unreachable(Unreachable::Host);
    assert_eq!(lab.told(), [Told::SoftError(told)]);
    assert_eq!(lab.state(&tuple(50)), Some(State::Established));
    assert_eq!(lab.worker.counters().icmp_errors, 1);
}

#[test]
fn an_error_that_quotes_nothing_in_flight_is_counted_and_ignored() {
    let (mut lab, mut sent) = in_flight();
    sent.header.seq += 5_000;
    report(&mut lab, Cause::Unreachable(Unreachable::Host), &sent);
    assert_eq!(lab.told(), []);
    assert_eq!(lab.worker.counters().icmp_ignored, 1);
}

#[test]
fn a_router_that_carries_less_gets_smaller_segments_at_once() {
    let (mut lab, sent) = in_flight();
    report(&mut lab, Cause::PacketTooBig { mtu: 600 }, &sent);
    let sizes: Vec<usize> = lab.sent().iter().map(|sent| sent.text.len()).collect();
    assert_eq!(sizes, [548, 452], "600 - 40 - 12");
}
