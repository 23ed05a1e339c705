//! The proxy in virtual time: what happens when clients, backends, checks and operators come
//! between each other.

mod lab;

use std::time::Duration;

use lab::{Lab, at, backend};
use wirepath_apps::proxy::{Admin, Check, Ejection, PoolSettings, Standing};

const PORTS: std::ops::RangeInclusive<u16> = 50_000..=59_999;

fn pool(backends: &[wirepath_apps::proxy::BackendSettings]) -> PoolSettings {
    PoolSettings {
        backends: backends.to_vec(),
        retries: 1,
        ..PoolSettings::default()
    }
}

/// A handshake each 100 ms, in at most 200 ms; one failure is enough, and one success.
fn check() -> Check {
    Check {
        interval: Duration::from_millis(100),
        timeout: Duration::from_millis(200),
        fall: 1,
        rise: 1,
        send: Vec::new(),
        expect: Vec::new(),
    }
}

#[test]
fn text_and_ends_pass_in_both_directions() {
    let mut lab = Lab::new(pool(&[backend(0, 0)]), PORTS);
    let mut client = lab.client(4_000);
    // What comes before there is a backend is kept for it.
    lab.send(&mut client, b"question");
    let mut server = lab.asked_one();
    lab.accept(&mut server);
    assert_eq!(server.text, b"question");
    lab.send(&mut server, b"answer");
    lab.hear(&mut client);
    assert_eq!(client.text, b"answer");
    lab.close(&mut client);
    lab.hear(&mut server);
    assert!(server.has_fin && !client.has_fin);
    lab.close(&mut server);
    lab.hear(&mut client);
    assert!(client.has_fin && !client.has_rst);
    assert_eq!((lab.report().clients, lab.backend(0).held), (0, 0));
    assert_eq!(lab.backend(0).tally.text_to, 8);
}

#[test]
fn a_client_that_leaves_the_queue_leaves_its_place_in_it() {
    let settings = PoolSettings {
        queue: 1,
        retries: 0,
        ..pool(&[backend(0, 1)])
    };
    let mut lab = Lab::new(settings, PORTS);
    let (first, _server) = lab.pair(4_000);
    for port in 4_001..4_010 {
        let waits = lab.client(port);
        assert_eq!(lab.report().queued, 1, "{port}");
        lab.reset(&waits);
        assert_eq!(lab.report().queued, 0, "{port}");
    }
    let mut last = lab.client(4_010);
    lab.reset(&first);
    // The place is the last one's, once.
    let mut server = lab.asked_one();
    lab.refuse(&server);
    lab.hear(&mut last);
    assert!(last.has_rst, "there was one attempt for it");
    assert_eq!((lab.report().clients, lab.backend(0).held), (0, 0));
    let _again = lab.client(4_011);
    server = lab.asked_one();
    lab.accept(&mut server);
    assert_eq!(lab.backend(0).held, 1);
}

#[test]
fn a_client_that_has_waited_for_too_long_is_no_backends_fault() {
    let settings = PoolSettings {
        connect_timeout: Duration::from_millis(500),
        attempt_timeout: Duration::from_secs(5),
        ejection: Ejection {
            failures: 1,
            first: Duration::from_secs(1),
            most: Duration::from_secs(1),
        },
        ..pool(&[backend(0, 0), backend(1, 0)])
    };
    let mut lab = Lab::new(settings, PORTS);
    let mut client = lab.client(4_000);
    lab.pass(600);
    lab.hear(&mut client);
    assert!(client.has_rst);
    assert_eq!(lab.asked().len(), 1, "no other backend was tried");
    assert_eq!(lab.report().refusals.timed_out, 1);
    assert_eq!(lab.backend(0).standing, Standing::Up);
    assert_eq!((lab.report().clients, lab.backend(0).held), (0, 0));
}

#[test]
fn a_client_that_resets_while_a_backend_is_asked_leaves_nothing_and_blames_nobody() {
    let settings = PoolSettings {
        ejection: Ejection {
            failures: 1,
            first: Duration::from_secs(1),
            most: Duration::from_secs(1),
        },
        ..pool(&[backend(0, 0), backend(1, 0)])
    };
    let mut lab = Lab::new(settings, PORTS);
    for port in 4_000..4_010 {
        let client = lab.client(port);
        let mut server = lab.asked_one();
        lab.reset(&client);
        lab.accept(&mut server);
        assert!(server.has_rst, "nobody wants it any more");
    }
    assert_eq!(lab.asked().len(), 0);
    for number in 0..2 {
        let report = lab.backend(number);
        assert_eq!((report.held, report.tally.timed_out), (0, 0));
        assert_eq!(report.standing, Standing::Up);
    }
    assert_eq!(
        (lab.report().clients, lab.report().refusals.timed_out),
        (0, 0)
    );
}

#[test]
fn a_backend_that_is_removed_is_told_of_until_its_last_connection_has_ended() {
    let mut lab = Lab::new(pool(&[backend(0, 0)]), PORTS);
    let (mut client, mut server) = lab.pair(4_000);
    lab.set_pool(pool(&[backend(1, 0)]));
    assert_eq!(lab.backend(0).standing, Standing::Removed);
    assert_eq!((lab.report().clients, lab.backend(0).held), (1, 1));
    lab.close(&mut client);
    lab.close(&mut server);
    lab.hear(&mut client);
    let report = lab.report();
    assert_eq!((report.clients, report.backends.len()), (0, 1));
    assert_eq!(report.backends[0].standing, Standing::Up);
}

#[test]
fn what_an_operator_says_holds_until_the_settings_say_otherwise() {
    let mut lab = Lab::new(pool(&[backend(0, 0)]), PORTS);
    lab.set_admin(0, Admin::Drain);
    lab.set_pool(pool(&[backend(0, 5)]));
    assert_eq!(lab.backend(0).standing, Standing::Draining);
    let mut disabled = backend(0, 5);
    disabled.admin = Admin::Disabled;
    lab.set_pool(pool(&[disabled]));
    assert_eq!(lab.backend(0).standing, Standing::Disabled);
    lab.set_pool(pool(&[backend(0, 5)]));
    assert_eq!(lab.backend(0).standing, Standing::Up);
}

#[test]
fn a_late_attempt_goes_on_at_another_backend() {
    let settings = PoolSettings {
        attempt_timeout: Duration::from_millis(200),
        ..pool(&[backend(0, 0), backend(1, 0)])
    };
    let mut lab = Lab::new(settings, PORTS);
    let mut client = lab.client(4_000);
    let mut late = lab.asked_one();
    lab.pass(300);
    let mut server = lab.asked_one();
    assert_eq!(server.tuple.remote, at(1));
    // The first one answers after all: nobody wants it any more.
    lab.accept(&mut late);
    assert!(late.has_rst);
    lab.accept(&mut server);
    lab.send(&mut server, b"here");
    lab.hear(&mut client);
    assert_eq!(client.text, b"here");
    assert_eq!(lab.backend(0).tally.timed_out, 1);
}

#[test]
fn the_only_backend_is_tried_again_as_often_as_another_would_be() {
    let settings = PoolSettings {
        attempt_timeout: Duration::from_millis(200),
        ..pool(&[backend(0, 0)])
    };
    let mut lab = Lab::new(settings, PORTS);
    let mut client = lab.client(4_000);
    let _late = lab.asked_one();
    lab.pass(300);
    let mut server = lab.asked_one();
    lab.accept(&mut server);
    lab.send(&mut server, b"here");
    lab.hear(&mut client);
    assert_eq!(client.text, b"here");

    let mut refused = lab.client(4_001);
    for _ in 0..2 {
        let server = lab.asked_one();
        lab.refuse(&server);
    }
    lab.hear(&mut refused);
    assert!(refused.has_rst, "one attempt and one more");
    assert_eq!(lab.report().refusals.no_backend, 1);
}

#[test]
fn where_all_are_ejected_none_is_left_out() {
    let ejection = Ejection {
        failures: 1,
        first: Duration::from_secs(1),
        most: Duration::from_secs(1),
    };
    let settings = PoolSettings {
        ejection,
        retries: 2,
        ..pool(&[backend(0, 0), backend(1, 0)])
    };
    let mut lab = Lab::new(settings, PORTS);
    let _client = lab.client(4_000);
    let first = lab.asked_one();
    assert_eq!(first.tuple.remote, at(0));
    lab.refuse(&first);
    assert_eq!(lab.backend(0).standing, Standing::Ejected);
    for _ in 0..2 {
        let last = lab.asked_one();
        assert_eq!(last.tuple.remote, at(1));
        lab.refuse(&last);
        assert_eq!(lab.backend(1).standing, Standing::Ejected);
    }

    // Who answers is back at once.
    let _client = lab.client(4_001);
    let mut server = lab.asked_one();
    assert_eq!(server.tuple.remote, at(0));
    lab.accept(&mut server);
    let standings = [0, 1].map(|number| lab.backend(number).standing);
    assert_eq!(standings, [Standing::Up, Standing::Ejected]);
}

#[test]
fn who_is_tried_again_has_the_place_of_its_first_attempt() {
    let settings = PoolSettings {
        queue: 0,
        ..pool(&[backend(0, 1)])
    };
    let mut lab = Lab::new(settings, PORTS);
    let mut client = lab.client(4_000);
    let first = lab.asked_one();
    lab.refuse(&first);
    let mut again = lab.asked_one();
    lab.accept(&mut again);
    lab.send(&mut again, b"here");
    lab.hear(&mut client);
    assert_eq!(client.text, b"here");
}

#[test]
fn want_of_ports_is_no_backends_fault() {
    let mut lab = Lab::new(pool(&[backend(0, 0)]), 50_000..=50_001);
    for port in 4_000..4_002 {
        lab.client(port);
        let mut server = lab.asked_one();
        lab.accept(&mut server);
    }
    for port in 4_002..4_012 {
        let mut refused = lab.client(port);
        lab.hear(&mut refused);
        assert!(refused.has_rst);
    }
    assert_eq!(lab.report().refusals.no_room, 10);
    assert_eq!(lab.backend(0).standing, Standing::Up);
    assert_eq!((lab.report().clients, lab.backend(0).held), (2, 2));
}

#[test]
fn a_backend_that_does_not_answer_a_check_is_down_until_nobody_asks() {
    let silent = PoolSettings {
        check: Some(check()),
        ..pool(&[backend(0, 0)])
    };
    let mut lab = Lab::new(silent.clone(), PORTS);
    assert_eq!(lab.asked().len(), 1, "the first check begins at once");
    lab.pass(250);
    assert_eq!(lab.backend(0).standing, Standing::Down);
    lab.pass(1_000);
    let checks = lab.asked().len();
    assert!((3..=5).contains(&checks), "one each 300 ms: {checks}");
    lab.set_pool(pool(&[backend(0, 0)]));
    assert_eq!(lab.backend(0).standing, Standing::Up);
    lab.set_pool(silent);
    assert_eq!(lab.asked().len(), 1, "it is asked again");
}

#[test]
fn who_waits_is_served_when_a_backend_comes() {
    let checked = PoolSettings {
        check: Some(check()),
        ..pool(&[backend(0, 1), backend(1, 0)])
    };
    let mut lab = Lab::new(checked, PORTS);
    let asked = lab.asked();
    let mut good = asked[0].clone();
    lab.accept(&mut good);
    lab.refuse(&asked[1]);
    assert_eq!(lab.backend(1).standing, Standing::Down);
    let _first = lab.pair(4_000);
    let _second = lab.client(4_001);
    assert_eq!(lab.report().queued, 1);
    lab.pass(110);
    let again = lab.asked().into_iter();
    let mut check = again.filter(|syn| syn.tuple.remote == at(1));
    let mut check = check.next().expect("it is asked again");
    lab.accept(&mut check);
    assert_eq!(lab.backend(1).standing, Standing::Up);
    assert_eq!(lab.report().queued, 0);
    assert_eq!(lab.backend(1).held, 1);
}

#[test]
fn who_is_silent_for_too_long_is_reset_with_its_partner() {
    let settings = PoolSettings {
        silence: [Duration::ZERO, Duration::from_secs(2)],
        ..pool(&[backend(0, 0)])
    };
    let mut lab = Lab::new(settings, PORTS);
    let (mut client, mut server) = lab.pair(4_000);
    for _ in 0..3 {
        lab.pass(1_000);
        lab.send(&mut server, b"still here");
    }
    lab.hear(&mut client);
    assert!(!client.has_rst, "the client may be silent");
    for _ in 0..3 {
        lab.pass(1_000);
        lab.send(&mut client, b"and you?");
    }
    lab.hear(&mut server);
    assert!(client.has_rst && server.has_rst);
    assert_eq!((lab.report().clients, lab.backend(0).held), (0, 0));
}

#[test]
fn an_answer_that_is_complete_survives_the_reset_of_who_gave_it() {
    let mut lab = Lab::new(pool(&[backend(0, 0)]), PORTS);
    let (mut client, mut server) = lab.pair(4_000);
    lab.send(&mut server, &[7; 1_000]);
    lab.close(&mut server);
    // Before the client has taken it, the backend resets: something came for a closed socket.
    lab.reset(&server);
    lab.hear(&mut client);
    assert_eq!((client.text.len(), client.has_rst), (1_000, false));
    assert!(client.has_fin);
    lab.close(&mut client);
    assert_eq!((lab.report().clients, lab.backend(0).held), (0, 0));
}

#[test]
fn an_attempt_at_a_backend_that_is_disabled_meanwhile_is_given_up() {
    let mut lab = Lab::new(pool(&[backend(0, 0), backend(1, 0)]), PORTS);
    let mut client = lab.client(4_000);
    let mut disabled = lab.asked_one();
    let mut off = backend(0, 0);
    off.admin = Admin::Disabled;
    lab.set_pool(pool(&[off, backend(1, 0)]));
    lab.accept(&mut disabled);
    assert!(disabled.has_rst);
    let mut server = lab.asked_one();
    lab.accept(&mut server);
    lab.send(&mut server, b"here");
    lab.hear(&mut client);
    assert_eq!(
        (client.text.as_slice(), lab.backend(0).held),
        (&b"here"[..], 0)
    );
    assert_eq!(
        lab.backend(0).tally.timed_out + lab.backend(0).tally.failed,
        0
    );
}

#[test]
fn a_drain_lets_pairs_finish_and_refuses_who_waits() {
    let mut lab = Lab::new(pool(&[backend(0, 1)]), PORTS);
    let (mut client, mut server) = lab.pair(4_000);
    let mut waits = lab.client(4_001);
    lab.drain();
    lab.hear(&mut waits);
    assert!(waits.has_fin || waits.has_rst);
    lab.send(&mut server, b"the rest");
    lab.close(&mut server);
    lab.hear(&mut client);
    assert_eq!(client.text, b"the rest");
    assert!(client.has_fin && !client.has_rst);
    lab.close(&mut client);
    lab.pass(100);
    assert_eq!(lab.asked().len(), 0);
}
