//! Anything may happen: two ends on a bad wire, and one end under fire.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, Options, SackBlock, Timestamps, UnscaledWindow};

use super::pair::{End, Pair, Sent};
use super::trace::{IRS, ISS, Trace, plain};
use super::{Event, text};
use crate::config::{Config, CongestionControl, EcnMode, KeepAlive};
use crate::state::State;
use crate::time::Millis;

/// A generator whose seed replays a test: splitmix64.
#[derive(Debug, Clone)]
struct Dice(Rc<Cell<u64>>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Rc::new(Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))))
    }

    fn roll(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn percent(&self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn config(&self) -> Config {
        let buffers = [2_048, 4_096, 10_000, 65_535, 200_000, 2 << 20];
        let keep_alive = KeepAlive {
            idle: Millis::from_secs(60),
            interval: Millis::from_secs(5),
            probes: 9,
        };
        Config {
            send_buffer: self.pick(&buffers),
            receive_buffer: self.pick(&buffers),
            nagle: self.percent(50),
            timestamps: self.percent(50),
            sack: self.percent(50),
            window_scaling: self.percent(50),
            keep_alive: Some(keep_alive),
            user_timeout_option: self.percent(20),
            ecn: self.pick(&[EcnMode::Off, EcnMode::Passive, EcnMode::Active]),
            congestion: self.pick(&CongestionControl::ALL),
            ..Config::default()
        }
    }
}

/// How an application ends, of the client or of the server.
type Ending = fn(&mut Pair, bool);

/// What one application has to say, and how it ends.
struct Plan {
    text: Vec<u8>,
    said: usize,
    /// How it ends once all is said.
    end: Ending,
    ended: bool,
}

impl Plan {
    fn act(&mut self, dice: &Dice, pair: &mut Pair, client: bool) {
        let end = end_of(pair, client);
        if dice.percent(30) {
            end.reads = !end.reads;
            if end.reads {
                end.read();
            }
        }
        self.ended |= end.connection.state() == State::Closed;
        if self.ended {
            return;
        }
        let most = dice.pick(&[1, 100, 5_000, 100_000]);
        let until = self.text.len().min(self.said + most);
        self.said += end.send(&self.text[self.said..until]);
        end.look();
        if self.said == self.text.len() {
            (self.end)(pair, client);
            self.ended = true;
        }
    }
}

fn end_of(pair: &mut Pair, client: bool) -> &mut End {
    if client {
        &mut pair.client
    } else {
        &mut pair.server
    }
}

fn shutdown(pair: &mut Pair, client: bool) {
    end_of(pair, client).connection.shutdown();
}

fn close(pair: &mut Pair, client: bool) {
    let now = pair.now;
    let End {
        connection, pool, ..
    } = end_of(pair, client);
    connection.close(now, pool);
}

fn abort(pair: &mut Pair, client: bool) {
    end_of(pair, client).connection.abort();
}

/// A wire that loses, delays, reorders and duplicates.
fn spoil(dice: &Dice, pair: &mut Pair) {
    let [loss, double] = [dice.pick(&[0, 1, 5, 10]), dice.pick(&[0, 1, 10])];
    let jitter = dice.pick(&[1, 5_000, 40_000]);
    let lossy = dice.clone();
    pair.lose = Box::new(move |_, _| lossy.percent(loss));
    let dice = dice.clone();
    pair.scatter = Box::new(move || {
        let copies = if dice.percent(double) { 2 } else { 1 };
        (0..copies)
            .map(|_| Duration::from_micros(dice.below(jitter)))
            .collect()
    });
}

/// Runs a whole life, then checks what must hold after any. Whether every byte arrived.
fn live(seed: u64, ends: [Ending; 2]) -> bool {
    let (arrived, _) = live_as(seed, ends, |_| {});
    arrived
}

/// The same of ends that are `prepare`d; also returns what became of them.
fn live_as(seed: u64, ends: [Ending; 2], prepare: impl Fn(&mut End)) -> (bool, Pair) {
    let dice = Dice::new(seed);
    let (client, server) = (dice.config(), dice.config());
    let mut pair = if dice.percent(20) {
        Pair::crossed(client, server)
    } else {
        Pair::established(client, server)
    };
    prepare(&mut pair.client);
    prepare(&mut pair.server);
    spoil(&dice, &mut pair);
    // Closing in SYN-SENT would end it before it began.
    let opening = |end: &End| {
        let state = end.connection.state();
        matches!(state, State::SynSent | State::SynReceived)
    };
    while opening(&pair.client) || opening(&pair.server) {
        pair.run(10);
    }
    let mut plans = ends.map(|end| Plan {
        text: text(dice.below(60_000) as usize),
        said: 0,
        end,
        ended: false,
    });
    while !plans.iter().all(|plan| plan.ended) && pair.now.as_millis() < 6_000_000 {
        for (plan, client) in plans.iter_mut().zip([true, false]) {
            plan.act(&dice, &mut pair, client);
        }
        pair.run(1 + dice.below(200));
    }
    for end in [&mut pair.client, &mut pair.server] {
        end.reads = true;
        end.read();
    }
    pair.run(1_000_000);
    let [from_client, from_server] = plans.map(|plan| plan.text);
    assert!(
        from_client.starts_with(&pair.server.received),
        "seed {seed}"
    );
    assert!(
        from_server.starts_with(&pair.client.received),
        "seed {seed}"
    );
    for end in [&mut pair.client, &mut pair.server] {
        assert_eq!(
            end.connection.state(),
            State::Closed,
            "seed {seed}: a stall"
        );
        end.connection.release(&mut end.pool);
        assert_eq!(end.pool.free(), end.pool.total(), "seed {seed}: a leak");
        once_and_in_order(&end.events, seed);
    }
    let arrived = pair.server.received == from_client && pair.client.received == from_server;
    (arrived, pair)
}

/// Questions and answers on a wire that seldom loses one; what became of both ends.
fn converse(seed: u64, prepare: impl Fn(&mut End)) -> Pair {
    let dice = Dice::new(seed);
    let (client, server) = (dice.config(), dice.config());
    let mut pair = Pair::established(client, server);
    prepare(&mut pair.client);
    prepare(&mut pair.server);
    let lossy = dice.clone();
    pair.lose = Box::new(move |_, _| lossy.percent(2));
    let marking = dice.clone();
    pair.mark = Box::new(move || marking.percent(10));
    for _ in 0..100 {
        let end = end_of(&mut pair, dice.percent(50));
        let said = text(1 + dice.below(3_000) as usize);
        match dice.percent(5) {
            true => end.connection.send_urgent(&mut end.pool, &said),
            false => end.send(&said),
        };
        pair.run(dice.pick(&[1, 30, 300]));
    }
    pair
}

#[test]
fn a_segment_that_is_predicted_leaves_what_the_steps_would_leave() {
    let mut predicted = 0;
    for (seed, talks) in (0..SEEDS).flat_map(|seed| [(seed, false), (seed, true)]) {
        let told = |predicts| {
            let prepare = |end: &mut End| {
                (end.predicts, end.story) = (predicts, Some(Vec::new()));
            };
            let pair = match talks {
                true => converse(seed, prepare),
                false => live_as(seed, [shutdown, close], prepare).1,
            };
            [pair.client, pair.server]
        };
        let (lines, steps) = (told(true), told(false));
        for (line, step) in lines.iter().zip(&steps) {
            let (line, step) = (line.story.as_ref().unwrap(), step.story.as_ref().unwrap());
            let same = line.iter().zip(step).take_while(|(a, b)| a == b).count();
            assert_eq!(line.get(same), step.get(same), "seed {seed}");
        }
        predicted += lines.iter().map(|end| end.predicted).sum::<usize>();
    }
    assert!(predicted > 1_000, "only {predicted} were predicted");
}

#[test]
fn who_rests_before_every_segment_loses_nothing() {
    let rests = |end: &mut End| end.rests = true;
    let mut rested = 0;
    for seed in 0..SEEDS {
        let (arrived, pair) = live_as(seed, [shutdown, shutdown], rests);
        assert!(arrived, "seed {seed}: not all arrived");
        let talk = converse(seed, rests);
        for end in [&pair.client, &pair.server, &talk.client, &talk.server] {
            rested += end.rested;
        }
    }
    assert!(rested > 300, "only {rested} rests");
}

#[test]
fn who_is_silent_after_bad_times_rests() {
    let mut could = 0;
    for seed in 0..20 * SEEDS {
        let mut pair = converse(seed, |_| {});
        pair.lose = Box::new(|_, _| false);
        pair.run(50_000);
        for end in [&pair.client, &pair.server] {
            let connection = &end.connection;
            if connection.state() == State::Established && connection.may_rest() {
                let rests = connection.rest(pair.now, Duration::from_millis(250));
                assert!(rests.is_some(), "seed {seed}: {connection:?}");
                could += 1;
            }
        }
    }
    assert!(could > 100, "only {could} may rest");
}

fn once_and_in_order(events: &[Event], seed: u64) {
    let rank = |event: &Event| match event {
        Event::Connected => 0,
        Event::PeerClosed => 2,
        Event::Closed(_) => 3,
        _ => 1,
    };
    let ranks: Vec<u8> = events.iter().map(rank).filter(|rank| *rank != 1).collect();
    assert!(
        ranks.windows(2).all(|pair| pair[0] < pair[1]),
        "seed {seed}: {events:?}"
    );
    let closed = events.iter().position(|event| rank(event) == 3);
    assert_eq!(closed, Some(events.len() - 1), "seed {seed}: {events:?}");
}

#[test]
fn every_byte_arrives_once_and_in_order_over_any_wire() {
    for seed in 0..SEEDS {
        assert!(
            live(seed, [shutdown, shutdown]),
            "seed {seed}: not all arrived"
        );
    }
}

#[test]
fn whoever_closes_or_aborts_the_rest_is_a_prefix() {
    for seed in 0..SEEDS {
        let dice = Dice::new(seed + 1_000_000);
        let ends: [Ending; 3] = [shutdown, close, abort];
        live(seed, [dice.pick(&ends), dice.pick(&ends)]);
    }
}

/// How many lives; `SEEDS` in the environment at build time says another number.
const SEEDS: u64 = match option_env!("SEEDS") {
    Some(number) => match u64::from_str_radix(number, 10) {
        Ok(number) => number,
        Err(_) => panic!("SEEDS is no number"),
    },
    None => 40,
};

/// A connection in each state that a peer can reach.
fn in_every_state(config: Config) -> Vec<Trace> {
    let server = || Trace::server(config);
    let after = |ours: bool, lines: &[&str]| {
        let mut trace = server();
        if ours {
            trace.shutdown();
            trace.sent();
        }
        lines.iter().for_each(|line| {
            trace.peer(line);
            trace.sent();
        });
        trace
    };
    let mut syn_sent = Trace::open(config);
    syn_sent.sent();
    let mut syn_received = Trace::open(config);
    syn_received.sent();
    syn_received.peer("S 0+0 mss 1000");
    syn_received.sent();
    let mut last_ack = after(false, &["F. 1+0 ack 1"]);
    last_ack.shutdown();
    last_ack.sent();
    let mut closed = server();
    closed.abort();
    closed.sent();
    vec![
        syn_sent,
        syn_received,
        server(),
        after(true, &[]),
        after(true, &[". 1+0 ack 2"]),
        after(false, &["F. 1+0 ack 1"]),
        after(true, &["F. 1+0 ack 1"]),
        last_ack,
        after(true, &["F. 1+0 ack 2"]),
        closed,
    ]
}

/// A segment that may mean anything, near enough to hurt.
fn shot(dice: &Dice) -> Sent {
    let near = |base: SeqNum| {
        let edges = [
            0,
            1,
            2,
            3,
            1_000,
            5_000,
            60_000,
            65_535,
            70_000,
            1 << 20,
            1 << 31,
        ];
        let edge = base + dice.pick(&edges) + dice.below(3) as u32;
        if dice.percent(20) {
            edge - 70_000
        } else {
            edge - 1
        }
    };
    let mut options = Options::default();
    if dice.percent(20) {
        let (value, echo) = (dice.roll() as u32, dice.roll() as u32);
        options.timestamps = Some(Timestamps { value, echo });
        options.mss = Some(dice.roll() as u16);
    }
    if dice.percent(20) {
        let (left, right) = (near(ISS), near(ISS));
        options.sack.push(SackBlock { left, right });
    }
    let likely = [Flags::ACK, Flags::ACK | Flags::PSH, Flags::ACK | Flags::FIN];
    let flags = if dice.percent(50) {
        dice.pick(&likely)
    } else {
        Flags::from_bits_retain(dice.roll() as u8)
    };
    let header = Header {
        seq: near(IRS),
        ack: near(ISS),
        flags,
        window: UnscaledWindow(dice.pick(&[0, 1, 500, 60_000, 65_535])),
        urgent: dice.roll() as u16,
        options,
    };
    let text = text(dice.pick(&[0, 0, 1, 10, 1_000, 1_460, 9_000]));
    Sent::new(header, text)
}

#[test]
fn no_segment_in_any_state_breaks_a_connection() {
    for seed in 0..SEEDS {
        let dice = Dice::new(seed);
        let config = Config {
            nagle: dice.percent(50),
            ..plain()
        };
        for mut trace in in_every_state(config) {
            trace.end.reads = dice.percent(50);
            fire(&dice, &mut trace);
        }
    }
}

fn fire(dice: &Dice, trace: &mut Trace) {
    for _ in 0..60 {
        let sent = shot(dice);
        trace.end.on(trace.now, &sent);
        if dice.percent(20) {
            trace.end.send(&text(dice.below(3_000) as usize));
        }
        if dice.percent(2) {
            trace.shutdown();
        }
        let mut count = 0;
        while trace.end.poll(trace.now).is_some() {
            count += 1;
            assert!(count < 10_000, "it never stops sending");
        }
        trace.end.at_rest();
        trace.now = trace.now + Duration::from_millis(dice.pick(&[0, 1, 50, 300]));
        trace
            .end
            .connection
            .on_deadline(trace.now, &mut trace.end.pool);
        trace.end.look();
    }
    trace.abort();
    trace.end.connection.release(&mut trace.end.pool);
    assert_eq!(trace.end.pool.free(), trace.end.pool.total());
}

#[test]
fn every_combination_of_flags_in_every_state_is_defined() {
    for flags in 0..=u8::MAX {
        for offset in [0, 1, 2_000, 70_000] {
            for mut trace in in_every_state(plain()) {
                let state = trace.state();
                let header = Header {
                    seq: IRS + offset,
                    ack: ISS + 1,
                    flags: Flags::from_bits_retain(flags),
                    ..Header::default()
                };
                trace.end.on(trace.now, &Sent::new(header, text(5)));
                while trace.end.poll(trace.now).is_some() {}
                trace.end.at_rest();
                let outside = offset == 70_000 && state.is_synchronized();
                assert!(!outside || trace.state() == state, "{flags:x} {state}");
            }
        }
    }
}
