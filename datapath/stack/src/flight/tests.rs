use wirepath_tcp::connection::CloseReason;
use wirepath_tcp::timers::Timer;
use wirepath_wire::tuple::Endpoint;

use super::*;

fn tuple(port: u16) -> Tuple {
    let end = |port| Endpoint::new([192, 0, 2, 1].into(), port);
    Tuple {
        local: end(7),
        remote: end(port),
    }
}

fn at(micros: u64) -> Instant {
    Instant::from_nanos(micros * 1_000)
}

const fn rto(micros: u32) -> Event {
    Event::Timer(Timer::Retransmit, micros)
}

fn one(flight: &Flight, port: u16) -> Recording {
    let mut found = flight.recordings(|it, _| *it == tuple(port));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn the_last_events_are_there_with_their_times_whatever_lay_between() {
    let (mut flight, mut ring) = (Flight::new(), RingId::NONE);
    let times = [5, 5, 9, 10_000_000, 10_000_001];
    for (nth, &time) in times.iter().enumerate() {
        flight.note(at(time), &mut ring, (1, &tuple(1)), rto(nth as u32));
    }
    let expected: Vec<_> = (0..).zip(times).map(|(n, t)| (at(t), rto(n))).collect();
    let recording = one(&flight, 1);
    assert_eq!(recording.events, expected);
    assert_eq!((recording.trouble, recording.forgotten), (None, 0));

    for nth in 0..1_000 {
        let event = rto(nth);
        flight.note(
            at(10_000_010 + u64::from(nth)),
            &mut ring,
            (1, &tuple(1)),
            event,
        );
    }
    let recording = one(&flight, 1);
    assert_eq!(recording.events.len(), FLIGHT_EVENTS);
    assert_eq!(recording.events.last(), Some(&(at(10_001_009), rto(999))));
    assert_eq!(
        recording.events[0],
        (
            at(10_001_010 - FLIGHT_EVENTS as u64),
            rto(1_000 - FLIGHT_EVENTS as u32)
        )
    );
    // Five, a silence, and a thousand were written.
    assert_eq!(recording.forgotten, 1_006 - FLIGHT_EVENTS as u64);
}

#[test]
fn what_is_saved_stays_and_what_is_over_stays_until_its_ring_is_needed() {
    let (mut flight, mut ring) = (Flight::new(), RingId::NONE);
    flight.note(at(1), &mut ring, (1, &tuple(1)), rto(1));
    flight.save(ring, 1, Trouble::Rto);
    let closed = Event::Closed(CloseReason::Finished);
    flight.note(at(2), &mut ring, (1, &tuple(1)), closed);
    flight.leave(ring, 1);
    let found = flight.recordings(|it, _| *it == tuple(1));
    let troubles: Vec<_> = found.iter().map(|it| it.trouble).collect();
    assert_eq!(troubles, [None, Some(Trouble::Rto)]);
    assert_eq!(found[0].events.len(), 2);
    assert_eq!(found[1].events, [(at(1), rto(1))]);

    for number in 0..FLIGHT_RINGS as u32 {
        let mut ring = RingId::NONE;
        flight.note(at(3), &mut ring, (2 + number, &tuple(2)), rto(3));
    }
    let found = flight.recordings(|it, _| *it == tuple(1));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].trouble, Some(Trouble::Rto));
}

#[test]
fn a_connection_that_is_silent_gives_its_ring_and_gets_another() {
    let mut flight = Flight::new();
    let mut rings = vec![RingId::NONE; FLIGHT_RINGS + 1];
    for (number, ring) in (0..).zip(&mut rings) {
        let owner = (number, &tuple(number as u16));
        flight.note(at(1), ring, owner, rto(number));
    }
    let known = |flight: &Flight| flight.recordings(|_, _| true).len();
    assert_eq!(known(&flight), FLIGHT_RINGS);
    let gone = (0..FLIGHT_RINGS as u16)
        .find(|&port| flight.recordings(|it, _| *it == tuple(port)).is_empty())
        .expect("one had to give its ring");
    let owner = (u32::from(gone), &tuple(gone));
    flight.note(at(2), &mut rings[usize::from(gone)], owner, rto(7));
    assert_eq!(one(&flight, gone).events, [(at(2), rto(7))]);
    assert_eq!(known(&flight), FLIGHT_RINGS);
}

#[test]
fn a_flood_of_one_trouble_leaves_the_others() {
    let mut flight = Flight::new();
    let mut meet = |port: u16, trouble| {
        let (mut ring, owner) = (RingId::NONE, u32::from(port));
        flight.note(at(1), &mut ring, (owner, &tuple(port)), rto(1));
        flight.save(ring, owner, trouble);
        flight.save(ring, owner, trouble);
        flight.leave(ring, owner);
    };
    meet(1, Trouble::ZeroWindow);
    for port in 2..1_000 {
        meet(port, Trouble::Reset);
    }
    let saved = flight.recordings(|_, _| true);
    let count = |trouble| {
        saved
            .iter()
            .filter(|it| it.trouble == Some(trouble))
            .count()
    };
    assert_eq!(count(Trouble::ZeroWindow), 1);
    assert_eq!(count(Trouble::Reset), FLIGHT_SAVED);
}

#[test]
fn cwnd_is_news_when_it_shrinks_or_has_grown() {
    let (mut flight, mut ring) = (Flight::new(), RingId::NONE);
    assert!(!flight.is_news(ring, 1));
    let event = |cwnd| Event::Congestion { cwnd, ssthresh: 0 };
    flight.note(at(1), &mut ring, (1, &tuple(1)), event(8_000));
    for (cwnd, news) in [(8_000, false), (9_000, false), (9_001, true), (7_999, true)] {
        assert_eq!(flight.is_news(ring, cwnd), news, "{cwnd}");
    }
}
