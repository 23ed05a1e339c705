//! Peers that take nothing, and what they may hold: RFC 6429.

use wirepath_stack::limits::Capacity;
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::state::State;
use wirepath_wire::tcp::{Flags, Header, UnscaledWindow};

use crate::lab::{Lab, Told, small, tuple};

/// `count` peers that send text to a service that echoes, so many segments of 1,000 bytes each, and
/// never read what comes back.
fn hogs(count: u16, segments: u32, blocks: usize) -> Lab {
    let capacity = Capacity {
        connections: 256,
        blocks,
        ..small()
    };
    let mut lab = Lab::with_capacity(Config::default(), capacity);
    for port in 1..=count {
        let syn_ack = lab.open(&tuple(port));
        for n in 0..segments {
            let text = Header {
                window: UnscaledWindow(0),
                ..Lab::answer(&syn_ack, 1 + n * 1_000, Flags::ACK)
            };
            lab.segment(&tuple(port), &text, &[b'x'; 1_000]);
        }
        lab.sent();
    }
    lab.told();
    lab
}

/// Who comes from this port and reads gets back what it says.
fn assert_is_answered(lab: &mut Lab, port: u16) {
    let syn_ack = lab.open(&tuple(port));
    lab.segment(
        &tuple(port),
        &Lab::answer(&syn_ack, 1, Flags::ACK),
        b"hello",
    );
    assert_eq!(lab.one().text, b"hello");
}

#[test]
fn peers_that_take_nothing_are_reset_when_blocks_are_scarce() {
    let mut lab = hogs(160, 24, 512);
    assert!(
        lab.worker.holdings().blocks > 480,
        "{:?}",
        lab.worker.holdings()
    );
    for _ in 0..60 {
        lab.pass(1_000);
        lab.frames();
    }
    let told = lab.told();
    assert!(
        told.contains(&Told::Closed(CloseReason::Stalled)),
        "{told:?}"
    );
    let holdings = lab.worker.holdings();
    assert!(holdings.blocks <= 480, "{holdings:?}");
    assert!(holdings.open > 0, "no more than need be");
    assert_is_answered(&mut lab, 999);
}

#[test]
fn many_that_take_nothing_leave_room_for_those_who_read() {
    let mut lab = hogs(50, 60, 512);
    let holdings = lab.worker.holdings();
    assert!(holdings.blocks > 512 / 2, "{holdings:?}");
    for port in 1_000..1_010 {
        assert_is_answered(&mut lab, port);
    }
}

#[test]
fn peers_that_take_nothing_stay_while_there_are_blocks() {
    let mut lab = hogs(4, 24, 128);
    lab.pass(60_000);
    assert_eq!(lab.told(), []);
    assert_eq!(lab.state(&tuple(1)), Some(State::Established));
}
