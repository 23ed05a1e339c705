//! Looking at the flows of a worker in pieces, as `ss` does.

use std::ops::ControlFlow;

use wirepath_stack::listeners::ListenerId;
use wirepath_stack::worker::{Cursor, FlowView};
use wirepath_tcp::config::Config;
use wirepath_tcp::state::State;
use wirepath_wire::tcp::Flags;

use crate::lab::{Lab, small, tuple};

/// Ports of the peer in the order they are seen, so many places at a time, and how many pieces.
fn walk(lab: &Lab, slots: u32) -> (Vec<u16>, usize) {
    let (mut ports, mut pieces, mut next) = (Vec::new(), 0, Some(Cursor::default()));
    while let Some(from) = next {
        let seen_before = ports.len();
        next = lab.worker.look(from, slots, |view| {
            ports.push(view.tuple.remote.port);
            ControlFlow::Continue(())
        });
        assert!(ports.len() - seen_before <= slots as usize);
        pieces += 1;
        assert!(pieces < 1_000, "the walk does not end");
    }
    (ports, pieces)
}

/// 30 connections, of which the peer resets every third, and 5 handshakes.
fn lab() -> Lab {
    let mut lab = Lab::with_capacity(Config::default(), small());
    for port in 1..=30 {
        let syn_ack = lab.open(&tuple(port));
        if port % 3 == 0 {
            let reset = Lab::answer(&syn_ack, 1, Flags::RST | Flags::ACK);
            lab.segment(&tuple(port), &reset, &[]);
        }
    }
    for port in 101..=105 {
        lab.syn(&tuple(port));
        lab.one();
    }
    lab
}

#[test]
fn every_flow_is_seen_once_whatever_the_size_of_the_pieces() {
    let lab = lab();
    let mut all: Vec<u16> = lab
        .worker
        .flows()
        .map(|flow| flow.tuple.remote.port)
        .collect();
    all.sort_unstable();
    let expected: Vec<u16> = (1..=30)
        .filter(|port| port % 3 != 0)
        .chain(101..=105)
        .collect();
    assert_eq!(all, expected);
    for slots in [1, 2, 3, 7, 1_000] {
        let (mut ports, pieces) = walk(&lab, slots);
        ports.sort_unstable();
        assert_eq!(ports, expected, "{slots} at a time");
        // Places that are empty cost as much as those with a flow.
        assert!(pieces >= expected.len() / slots as usize, "{pieces}");
    }
}

#[test]
fn a_walk_that_is_broken_off_goes_on_after_the_last_seen() {
    let lab = lab();
    let (mut ports, mut next) = (Vec::new(), Some(Cursor::default()));
    while let Some(from) = next {
        next = lab.worker.look(from, 1_000, |view| {
            ports.push(view.tuple.remote.port);
            ControlFlow::Break(())
        });
    }
    assert_eq!(ports, walk(&lab, 1_000).0);
}

#[test]
fn what_stays_is_seen_though_others_come_and_go_during_the_walk() {
    let mut lab = lab();
    let mut seen = Vec::new();
    let mut note = |view: &FlowView<'_>| {
        seen.push(view.tuple.remote.port);
        ControlFlow::Continue(())
    };
    let half = lab.worker.look(Cursor::default(), 12, &mut note);
    // A handshake that was seen ends, and a new connection takes a place that was looked at.
    for port in 200..210 {
        lab.open(&tuple(port));
    }
    let end = lab
        .worker
        .look(half.expect("there is more"), 1_000, &mut note);
    assert_eq!(end, None);
    let stayed = (1..=30).filter(|port| port % 3 != 0);
    assert!(stayed.clone().all(|port| seen.contains(&port)), "{seen:?}");
}

#[test]
fn any_cursor_leads_to_an_end() {
    let lab = lab();
    for bits in [0, 29, 30, 31, 1 << 30, u32::MAX >> 1, 2 << 30, u32::MAX] {
        let end = lab.worker.look(Cursor::from_bits(bits), 1_000, |view| {
            assert!(matches!(
                view.state,
                State::SynReceived | State::Established
            ));
            ControlFlow::Continue(())
        });
        assert_eq!(end, None, "from {bits:#x}");
    }
}

#[test]
fn a_listener_counts_what_it_has_opened() {
    let lab = lab();
    assert_eq!(lab.worker.tally(ListenerId(1)).opened, 30);
    assert_eq!(lab.worker.tally(ListenerId(2)).opened, 0);
    assert_eq!(lab.worker.tally(ListenerId(1)).held, 20 + 5);
}

#[test]
fn a_device_counts_what_it_has_carried() {
    let lab = lab();
    let traffic: Vec<_> = lab.worker.traffic().collect();
    let counters = lab.worker.counters();
    assert_eq!(traffic.len(), 1);
    let carried = [
        (traffic[0].frames_in, counters.frames_in),
        (traffic[0].bytes_in, counters.bytes_in),
        (traffic[0].frames_out, counters.frames_out),
        (traffic[0].bytes_out, counters.bytes_out),
    ];
    for (by_device, by_worker) in carried {
        assert!(by_device > 0);
        assert_eq!(by_device, by_worker);
    }
    assert!(traffic[0].batches_in <= traffic[0].frames_in);
}
