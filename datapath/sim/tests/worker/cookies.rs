//! SYN cookies: RFC 4987 3.6.

use wirepath_stack::limits::Capacity;
use wirepath_tcp::config::{Config, SynCookies};
use wirepath_tcp::state::State;
use wirepath_wire::tcp::{Flags, Header, Options};

use crate::lab::{Lab, Sent, Told, small, syn_options, tuple};

/// The half-open table is full of SYNs that nobody follows up.
fn flooded(config: Config) -> Lab {
    let mut lab = Lab::new(config);
    for port in 1..=4 {
        lab.syn(&tuple(port));
    }
    assert_eq!(lab.sent().len(), 4);
    lab
}

fn always() -> Config {
    Config {
        syn_cookies: SynCookies::Always,
        ..Config::default()
    }
}

fn cookie(lab: &mut Lab, options: Options) -> Sent {
    lab.syn_with(&tuple(99), options, &[]);
    lab.one()
}

#[test]
fn when_the_table_is_full_a_cookie_opens_the_connection() {
    let mut lab = flooded(Config::default());
    let syn_ack = lab.open(&tuple(99));
    assert!(syn_ack.header.options.sack_permitted);
    assert_eq!(lab.state(&tuple(99)), Some(State::Established));
    assert_eq!(lab.told(), [Told::Opened]);
    assert_eq!(lab.worker.counters().syn_cookies_sent, 1);
    assert_eq!(lab.worker.counters().syn_cookies_accepted, 1);
    lab.segment(&tuple(99), &Lab::answer(&syn_ack, 1, Flags::ACK), b"hello");
    assert_eq!(lab.one().text, b"hello");
}

#[test]
fn nothing_is_kept_of_a_syn_that_is_answered_with_a_cookie() {
    let mut lab = flooded(always());
    let before = lab.worker.holdings();
    for port in 100..200 {
        lab.syn(&tuple(port));
        assert_eq!(lab.sent().len(), 1, "one answer to each SYN");
    }
    assert_eq!(lab.worker.holdings(), before);
    lab.pass(10_000);
    assert_eq!(lab.sent(), [], "and it is not sent again");
}

#[test]
fn a_cookie_brings_mss_shift_sack_and_timestamps_back() {
    let mut lab = Lab::new(always());
    lab.open(&tuple(99));
    let flow = lab.worker.flows().next().expect("a connection");
    let info = flow.info.expect("whole");
    assert_eq!(info.smss, 1_460 - 12);
    assert_eq!(info.window_scale.0, 7);
    assert!(info.sack && info.timestamps);
}

#[test]
fn without_timestamps_a_cookie_brings_the_mss_alone_and_offers_no_more() {
    let mut lab = Lab::new(always());
    let plain = Options {
        timestamps: None,
        mss: Some(1_400),
        ..syn_options()
    };
    let syn_ack = cookie(&mut lab, plain);
    let Options {
        window_scale,
        sack_permitted,
        timestamps,
        ..
    } = syn_ack.header.options;
    assert_eq!(
        (window_scale, sack_permitted, timestamps),
        (None, false, None)
    );
    lab.segment(&tuple(99), &Lab::answer(&syn_ack, 1, Flags::ACK), &[]);
    let info = lab.worker.flows().next().and_then(|flow| flow.info);
    assert_eq!(info.expect("whole").smss, 1_360, "rounded down");
}

#[test]
fn the_handshake_may_end_with_text() {
    let mut lab = Lab::new(always());
    let syn_ack = cookie(&mut lab, syn_options());
    let ack = Lab::answer(&syn_ack, 1, Flags::ACK | Flags::PSH);
    lab.segment(&tuple(99), &ack, b"hello");
    assert_eq!(lab.told(), [Told::Opened]);
    assert_eq!(lab.one().text, b"hello");
}

#[test]
fn a_cookie_is_good_for_two_slots_and_no_longer() {
    for (millis, good) in [(60_000, true), (128_000, false), (300_000, false)] {
        let mut lab = Lab::new(always());
        let syn_ack = cookie(&mut lab, syn_options());
        lab.pass(millis);
        lab.segment(&tuple(99), &Lab::answer(&syn_ack, 1, Flags::ACK), &[]);
        let state = lab.state(&tuple(99));
        assert_eq!(state == Some(State::Established), good, "after {millis} ms");
        let reset = lab
            .sent()
            .iter()
            .any(|sent| sent.header.flags == Flags::RST);
        assert_eq!(reset, !good);
    }
}

#[test]
fn a_cookie_is_for_its_own_tuple_and_its_own_isn() {
    let mut lab = Lab::new(always());
    let syn_ack = cookie(&mut lab, syn_options());
    let ack = Lab::answer(&syn_ack, 1, Flags::ACK);
    let wrong = [
        (tuple(98), ack),
        (
            tuple(99),
            Header {
                seq: ack.seq + 1,
                ..ack
            },
        ),
        (
            tuple(99),
            Header {
                ack: ack.ack + 1,
                ..ack
            },
        ),
        (
            tuple(99),
            Header {
                ack: ack.ack + (1 << 20),
                ..ack
            },
        ),
    ];
    for (tuple, header) in wrong {
        lab.segment(&tuple, &header, &[]);
        assert_eq!(lab.one().header.flags, Flags::RST);
        assert_eq!(lab.state(&tuple), None);
    }
    assert_eq!(lab.worker.counters().syn_cookies_refused, 4);
}

#[test]
fn a_worker_that_sent_no_cookie_accepts_none() {
    let mut lab = Lab::new(always());
    let syn_ack = cookie(&mut lab, syn_options());
    let mut other = Lab::new(Config::default());
    other.segment(&tuple(99), &Lab::answer(&syn_ack, 1, Flags::ACK), &[]);
    assert_eq!(other.one().header.flags, Flags::RST);
    assert_eq!(other.worker.counters().syn_cookies_refused, 0);
}

#[test]
fn cookies_that_are_off_refuse_what_finds_no_room() {
    let mut lab = flooded(Config {
        syn_cookies: SynCookies::Off,
        ..Config::default()
    });
    lab.syn(&tuple(99));
    assert_eq!(lab.sent(), []);
    assert_eq!(lab.worker.counters().drop_half_open_full, 1);
}

#[test]
fn a_cookie_that_finds_no_place_for_its_connection_is_counted() {
    let capacity = Capacity {
        connections: 1,
        ..small()
    };
    let mut lab = Lab::with_capacity(always(), capacity);
    let syn_ack = cookie(&mut lab, syn_options());
    lab.open(&tuple(1));
    lab.segment(&tuple(99), &Lab::answer(&syn_ack, 1, Flags::ACK), &[]);
    assert_eq!(lab.sent(), [], "the peer tries again");
    assert_eq!(lab.state(&tuple(99)), None);
    assert_eq!(lab.worker.counters().drop_connections_full, 1);
}
