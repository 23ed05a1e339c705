use super::{AckSample, Congestion};

const SMSS: u32 = 1_000;

fn acked(congestion: &mut Congestion, newly_acked: u32) {
    congestion.on_ack(&AckSample {
        newly_acked,
        cwnd_limited: true,
    });
}

#[test]
fn slow_start_grows_by_what_is_acknowledged_but_two_segments_an_ack() {
    let mut congestion = Congestion::new(SMSS as u16);
    assert_eq!(congestion.cwnd(), 10 * SMSS);
    acked(&mut congestion, 2 * SMSS);
    assert_eq!(congestion.cwnd(), 12 * SMSS);
    acked(&mut congestion, 9 * SMSS);
    assert_eq!(congestion.cwnd(), 14 * SMSS);
    acked(&mut congestion, 1);
    assert_eq!(
        congestion.cwnd(),
        14 * SMSS + 1,
        "ACK division gains nothing"
    );
}

#[test]
fn a_loss_halves_and_avoidance_adds_one_segment_per_window() {
    let mut congestion = Congestion::new(SMSS as u16);
    congestion.on_loss(20 * SMSS);
    assert_eq!(
        (congestion.cwnd(), congestion.ssthresh()),
        (10 * SMSS, 10 * SMSS)
    );
    for _ in 0..9 {
        acked(&mut congestion, SMSS);
    }
    assert_eq!(congestion.cwnd(), 10 * SMSS);
    acked(&mut congestion, SMSS);
    assert_eq!(congestion.cwnd(), 11 * SMSS);
}

#[test]
fn a_timeout_leaves_one_segment_and_halves_only_once() {
    let mut congestion = Congestion::new(SMSS as u16);
    congestion.on_timeout(10 * SMSS, true);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (SMSS, 5 * SMSS));
    congestion.on_timeout(SMSS, false);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (SMSS, 5 * SMSS));
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let mut congestion = Congestion::new(SMSS as u16);
    congestion.on_ack(&AckSample {
        newly_acked: 100,
        cwnd_limited: false,
    });
    assert_eq!(congestion.cwnd(), 10 * SMSS);
}
