//! Connections that rest take less room; nobody else can tell.

use wirepath_stack::limits::{CLOSED_PER_TURN, Capacity};
use wirepath_tcp::config::{Config, KeepAlive};
use wirepath_tcp::state::State;
use wirepath_tcp::time::Millis;
use wirepath_wire::tcp::Flags;

use crate::lab::{Lab, Sent, Told, small, tuple};

/// Three seconds in which nobody says anything.
fn be_silent(lab: &mut Lab) {
    lab.pass(3_000);
    assert!(lab.frames().is_empty());
}

/// A connection that has said something and had it back; the last segment of ours.
fn spoken(lab: &mut Lab, port: u16) -> Sent {
    let syn_ack = lab.open(&tuple(port));
    let hello = Lab::answer(&syn_ack, 1, Flags::ACK);
    lab.segment(&tuple(port), &hello, b"hello");
    let echoed = lab.one();
    assert_eq!(echoed.text, b"hello");
    let heard = Lab::answer(&echoed, 6, Flags::ACK);
    lab.segment(&tuple(port), &heard, &[]);
    echoed
}

#[test]
fn who_is_silent_rests_and_is_answered_when_it_speaks() {
    let mut lab = Lab::new(Config::default());
    let echoed: Vec<Sent> = (1..=4).map(|port| spoken(&mut lab, port)).collect();
    let before: Vec<_> = lab.worker.flows().map(|flow| flow.info).collect();
    be_silent(&mut lab);
    let holdings = lab.worker.holdings();
    assert_eq!((holdings.open, holdings.resting), (4, 4));
    let flows: Vec<_> = lab.worker.flows().collect();
    assert!(flows.iter().all(|flow| flow.state == State::Established));
    for (flow, before) in flows.iter().zip(before) {
        let (now, before) = (flow.info.expect("whole"), before.expect("whole"));
        assert_eq!((now.srtt, now.cwnd), (before.srtt, before.cwnd));
        assert_eq!(now.bytes_received, 5);
    }

    let again = Lab::answer(&echoed[1], 6, Flags::ACK);
    lab.segment(&tuple(2), &again, b"again");
    assert_eq!(lab.one().text, b"again");
    assert_eq!(lab.worker.holdings().resting, 3);
    lab.worker.check().expect("all is well");
}

#[test]
fn one_at_rest_takes_a_reset_and_a_fin_and_is_drained() {
    let mut lab = Lab::new(Config::default());
    let echoed: Vec<Sent> = (1..=3).map(|port| spoken(&mut lab, port)).collect();
    be_silent(&mut lab);
    lab.told();
    lab.segment(&tuple(1), &Lab::answer(&echoed[0], 6, Flags::RST), &[]);
    assert!(matches!(lab.told()[..], [Told::Closed(_)]));
    let fin = Lab::answer(&echoed[1], 6, Flags::FIN | Flags::ACK);
    lab.segment(&tuple(2), &fin, &[]);
    assert!(lab.one().header.flags.contains(Flags::FIN));
    assert_eq!(lab.worker.holdings().resting, 1);

    lab.worker.drain(lab.now);
    lab.turn();
    let fin = lab.one();
    assert_eq!(fin.tuple, tuple(3).reversed());
    assert!(fin.header.flags.contains(Flags::FIN));
}

/// More connections than are closed in a turn; the first 600 of them rest.
fn many() -> (Lab, usize) {
    let all = CLOSED_PER_TURN + 500;
    let capacity = Capacity {
        connections: all,
        // Each FIN in flight is written down in one.
        blocks: 2 * all,
        ..small()
    };
    let mut lab = Lab::with_capacity(Config::default(), capacity);
    for port in 1..=all as u16 {
        lab.open(&tuple(port));
        if port == 600 {
            lab.pass(3_000);
        }
    }
    let holdings = lab.worker.holdings();
    assert_eq!((holdings.open, holdings.resting), (all, 600));
    (lab, all)
}

/// Turns until all is said; how many segments had this flag, and no other came.
fn say_all(lab: &mut Lab, flag: Flags) -> usize {
    let mut said = 0;
    for _ in 0..1_000 {
        lab.turn();
        let sent = lab.sent();
        assert!(sent.iter().all(|it| it.header.flags.contains(flag)));
        said += sent.len();
        if !lab.worker.has_work() {
            return said;
        }
    }
    panic!("it does not end");
}

fn established(lab: &Lab) -> usize {
    let flows = lab.worker.flows();
    flows
        .filter(|flow| flow.state == State::Established)
        .count()
}

#[test]
fn a_drain_closes_so_many_in_a_turn_and_those_at_rest_last() {
    let (mut lab, all) = many();
    lab.worker.drain(lab.now);
    assert_eq!(established(&lab), all - CLOSED_PER_TURN);
    assert_eq!(lab.worker.holdings().resting, all - CLOSED_PER_TURN);
    assert_eq!(say_all(&mut lab, Flags::FIN), all);
    assert_eq!(lab.worker.holdings().resting, 0);
}

#[test]
fn all_are_reset_in_the_middle_of_a_drain() {
    let (mut lab, all) = many();
    lab.worker.drain(lab.now);
    lab.worker.abort_all(lab.now);
    assert_eq!(say_all(&mut lab, Flags::RST), all);
    assert_eq!(lab.worker.holdings().open, 0);
}

#[test]
fn those_at_rest_count_among_all_and_their_places_are_used_again() {
    let capacity = Capacity {
        connections: 4,
        ..small()
    };
    let mut lab = Lab::with_capacity(Config::default(), capacity);
    for round in 0..3 {
        let echoed: Vec<Sent> = (1..=4)
            .map(|port| spoken(&mut lab, 10 * round + port))
            .collect();
        be_silent(&mut lab);
        assert_eq!(lab.worker.holdings().resting, 4);
        lab.syn(&tuple(99));
        assert!(lab.sent().is_empty(), "there is no place");
        for (port, echoed) in (1..=4).zip(&echoed) {
            let tuple = tuple(10 * round + port);
            lab.segment(&tuple, &Lab::answer(echoed, 6, Flags::RST), &[]);
        }
        assert_eq!(lab.worker.holdings().open, 0);
    }
}

#[test]
fn a_keep_alive_goes_in_time() {
    let keep_alive = KeepAlive {
        idle: Millis::from_secs(60),
        interval: Millis::from_secs(5),
        probes: 9,
    };
    let mut lab = Lab::new(Config {
        keep_alive: Some(keep_alive),
        ..Config::default()
    });
    let echoed = spoken(&mut lab, 1);
    // None of these makes it wait longer before it rests again.
    for _ in 0..8 {
        be_silent(&mut lab);
        assert_eq!(lab.worker.holdings().resting, 1);
        lab.pass(56_900);
        assert!(lab.sent().is_empty());
        lab.pass(100);
        let probe = lab.one();
        assert_eq!(probe.header.seq + 1, echoed.header.seq + 5);
        lab.segment(&tuple(1), &Lab::answer(&echoed, 6, Flags::ACK), &[]);
    }
}

#[test]
fn who_speaks_now_and_then_rests_ever_more_seldom() {
    let mut lab = Lab::new(Config::default());
    let mut last = spoken(&mut lab, 1);
    let mut rested = Vec::new();
    for round in 0..40 {
        lab.pass(3_000);
        let again = Lab::answer(&last, 6 + round, Flags::ACK);
        lab.segment(&tuple(1), &again, b"x");
        last = lab.one();
        let heard = Lab::answer(&last, 7 + round, Flags::ACK);
        lab.segment(&tuple(1), &heard, &[]);
        rested.push(lab.worker.counters().rested);
    }
    // After 0.25, 0.5, 1 and 2 seconds, and not after 4.
    assert_eq!(rested.last(), Some(&4), "{rested:?}");
    lab.pass(4_100);
    assert_eq!(lab.worker.holdings().resting, 1);
}

#[test]
fn what_happened_before_a_rest_is_still_recorded() {
    let mut lab = Lab::new(Config::default());
    let echoed = spoken(&mut lab, 1);
    be_silent(&mut lab);
    lab.segment(&tuple(1), &Lab::answer(&echoed, 6, Flags::ACK), b"again");
    let recordings = lab.worker.flight().recordings(|_, _| true);
    assert_eq!(recordings.len(), 1);
    let events = &recordings[0].events;
    let (first, last) = (events[0].0, events[events.len() - 1].0);
    assert!(last.since(first).as_secs() >= 3, "{events:?}");
}
