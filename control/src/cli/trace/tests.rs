use super::*;
use crate::api::{TraceEvent, What};

fn segment(sent: bool, seq: u32, ack: u32, len: u16) -> What {
    let (window, flags) = (100, 0x10);
    What::Segment {
        sent,
        seq,
        ack,
        len,
        window,
        flags,
    }
}

/// Two segments, of which the first is sent again after a time-out.
fn trace() -> Trace {
    let events = [
        (0, segment(true, u32::MAX, 50, 1_000)),
        (10, segment(true, 999, 50, 1_000)),
        (
            200_010,
            What::Timer {
                name: "on".to_owned(),
                rto_us: 200_000,
            },
        ),
        (
            200_010,
            What::Congestion {
                cwnd: 1_000,
                ssthresh: Some(2_000),
            },
        ),
        (200_011, segment(true, u32::MAX, 50, 1_000)),
        (200_500, segment(false, 50, 1_999, 0)),
        (
            200_501,
            What::Application {
                took: 0,
                sent: 7,
                ended: true,
            },
        ),
        (
            200_502,
            What::Closed {
                reason: "reset".to_owned(),
            },
        ),
    ];
    let event = |(at, what): (u64, What)| TraceEvent {
        at_us: 5_000_000 + at,
        what,
    };
    Trace {
        local: "192.0.2.1:7".parse().unwrap(),
        remote: "192.0.2.2:4000".parse().unwrap(),
        trouble: Some("rto".to_owned()),
        window_scale: (7, 7),
        forgotten: 3,
        events: events.into_iter().map(event).collect(),
    }
}

#[test]
fn the_time_line_counts_from_the_first_that_is_known() {
    let expected = "\
192.0.2.1:7 <-> 192.0.2.2:4000, rto: 8 events from Unix time 5.000000, 3 older ones forgotten
    0.000000  > . 0:1000(1000) ack 0 win 100
    0.000010  > . 1000:2000(1000) ack 0 win 100
    0.200010  * timer retransmission, rto 0.200000
    0.200010  * cwnd 1000 ssthresh 2000
    0.200011  > . 0:1000(1000) ack 0 win 100
    0.200500  < . 0:0(0) ack 2000 win 100
    0.200501  # application took 0, sent 7, ended
    0.200502  # closed: reset
";
    assert_eq!(timeline::text(&trace()), expected);
}

#[test]
fn the_plot_tells_what_was_sent_again() {
    let svg = plot::svg(&trace());
    let count = |class: &str| svg.matches(&format!("<path class='{class}'")).count();
    assert_eq!((count("sent"), count("again")), (2, 1));
    assert_eq!((count("ack"), count("window"), count("timer")), (1, 1, 1));
    // Nothing leaves the picture, and nothing is not a number.
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    plot::svg(&Trace {
        events: Vec::new(),
        ..trace()
    });
}

#[test]
fn what_is_known_now_comes_before_what_was_saved() {
    let saved = trace();
    let now = Trace {
        trouble: None,
        events: trace().events[..1].to_vec(),
        ..trace()
    };
    assert_eq!(best(&[now.clone(), saved.clone()]), Some(&now));
    assert_eq!(best(std::slice::from_ref(&saved)), Some(&saved));
    assert_eq!(best(&[]), None);
}
