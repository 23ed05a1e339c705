//! Peers that take nothing, and what they may hold: RFC 6429.

use wirepath_stack::limits::Capacity;
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::state::State;
use wirepath_wire::tcp::{Flags, Header, UnscaledWindow};

use crate::lab::{Lab, Told, small, tuple};

/// `count` peers that send text to a service that echoes, and never read what comes back.
fn hogs(count: u16) -> Lab {
    let mut lab = Lab::with_capacity(
        Config::default(),
        Capacity {
            blocks: 128,
            ..small()
        },
    );
    for port in 1..=count {
        let syn_ack = lab.open(&tuple(port));
        for n in 0..24 {
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

#[test]
fn peers_that_take_nothing_are_reset_when_blocks_are_scarce() {
    let mut lab = hogs(60);
    assert!(
        lab.worker.holdings().blocks > 112,
        "{:?}",
        lab.worker.holdings()
    );
    lab.pass(60_000);
    let told = lab.told();
    assert!(
        told.contains(&Told::Closed(CloseReason::Stalled)),
        "{told:?}"
    );
    let holdings = lab.worker.holdings();
    assert!(holdings.blocks <= 112, "{holdings:?}");
    assert!(holdings.open > 0, "no more than need be");
    while !lab.frames().is_empty() {
        lab.turn();
    }
    // Now there is room for one who reads.
    let syn_ack = lab.open(&tuple(99));
    lab.segment(&tuple(99), &Lab::answer(&syn_ack, 1, Flags::ACK), b"hello");
    assert_eq!(lab.one().text, b"hello");
}

#[test]
fn peers_that_take_nothing_stay_while_there_are_blocks() {
    let mut lab = hogs(4);
    lab.pass(60_000);
    assert_eq!(lab.told(), []);
    assert_eq!(lab.state(&tuple(1)), Some(State::Established));
}
