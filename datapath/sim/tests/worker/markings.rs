//! What packets say to the network, and the network to them: RFC 9293 3.9.1, RFC 3168.

use wirepath_tcp::config::{Config, Marking, SynCookies};
use wirepath_wire::ip::{Ecn, TrafficClass};
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, UnscaledWindow};

use crate::lab::{IRS, Lab, Sent, frame_marked, syn_options, tuple};

const EXPEDITED: u8 = 46;

fn marked() -> Config {
    Config {
        marking: Marking {
            dscp: EXPEDITED,
            hop_limit: Some(33),
        },
        ..Config::default()
    }
}

/// A SYN that offers ECN, and our answer.
fn offer(lab: &mut Lab) -> Sent {
    let header = Header {
        seq: SeqNum::new(IRS),
        flags: Flags::SYN | Flags::ECE | Flags::CWR,
        window: UnscaledWindow(60_000),
        options: syn_options(),
        ..Header::default()
    };
    lab.segment(&tuple(1), &header, &[]);
    lab.one()
}

#[test]
fn dscp_and_hop_limit_are_those_of_the_listener_on_every_packet() {
    let mut lab = Lab::new(marked());
    let syn_ack = lab.open(&tuple(1));
    lab.segment(&tuple(1), &Lab::answer(&syn_ack, 1, Flags::ACK), b"hello");
    for sent in [syn_ack, lab.one()] {
        assert_eq!(sent.packet.traffic_class.dscp(), EXPEDITED, "MUST-48");
        assert_eq!(sent.packet.hop_limit, 33, "MUST-49");
    }
}

#[test]
fn the_application_changes_dscp_while_the_connection_is_open() {
    let mut lab = Lab::new(Config::default());
    let syn_ack = lab.open(&tuple(1));
    assert_eq!(syn_ack.packet.traffic_class, TrafficClass(0));
    lab.segment(
        &tuple(1),
        &Lab::answer(&syn_ack, 1, Flags::ACK),
        b"\x2Eexpedite",
    );
    let echo = lab.one();
    assert_eq!(echo.packet.traffic_class.dscp(), EXPEDITED, "SHLD-21");
}

#[test]
fn a_mark_on_a_packet_is_told_to_the_peer_and_ours_may_be_marked() {
    for syn_cookies in [SynCookies::WhenFull, SynCookies::Always] {
        let mut lab = Lab::new(Config {
            syn_cookies,
            ..Config::default()
        });
        let syn_ack = offer(&mut lab);
        assert_eq!(syn_ack.header.flags, Flags::SYN | Flags::ACK | Flags::ECE);
        assert_eq!(syn_ack.packet.traffic_class.ecn(), Ecn::NotEct);
        let text = Lab::answer(&syn_ack, 1, Flags::ACK);
        lab.frame(&frame_marked(Ecn::Ce, &tuple(1), &text, b"hello"));
        let echo = lab.one();
        assert!(echo.header.flags.contains(Flags::ECE), "{syn_cookies:?}");
        assert_eq!(echo.packet.traffic_class.ecn(), Ecn::Ect0, "SHLD-8");
    }
}
