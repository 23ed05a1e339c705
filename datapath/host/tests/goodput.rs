//! How much of a path a bulk transfer uses.

mod lab;

use std::time::Duration;

use lab::{Path, transfer};
use wirepath_tcp::config::{Config, CongestionControl, EcnMode};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn with(congestion: CongestionControl) -> Config {
    Config {
        congestion,
        ..Config::default()
    }
}

#[test]
fn a_clean_path_of_twenty_milliseconds_is_filled() {
    // Reno halves below what fills the path: its queue is shorter than the path is long.
    let least = [
        (CongestionControl::Cubic, 0.95),
        (CongestionControl::NewReno, 0.90),
    ];
    for (congestion, least) in least {
        let path = Path::of_the_office();
        let outcome = transfer(with(congestion), path, SECONDS(5), SECONDS(30));
        let share = outcome.share_of(&path);
        assert!(share >= least, "{congestion:?}: {share:.3} {outcome:?}");
    }
}

#[test]
fn the_first_five_seconds_lose_little() {
    let path = Path::of_the_office();
    let outcome = transfer(Config::default(), path, Duration::ZERO, SECONDS(5));
    let share = outcome.share_of(&path);
    assert!(share >= 0.85, "{share:.3} {outcome:?}");
}

#[test]
fn reordering_by_three_is_no_loss() {
    let path = Path {
        reorder: 250_000,
        ..Path::of_the_office()
    };
    let outcome = transfer(Config::default(), path, SECONDS(1), SECONDS(20));
    let spurious = outcome.resent.saturating_sub(outcome.lost);
    let share = spurious as f64 / outcome.carried as f64;
    assert!(share < 0.005, "{share:.4} {outcome:?}");
    // Nor is what was lost taken for late, and cwnd for too small.
    let fills = outcome.share_of(&path);
    assert!(fills >= 0.90, "{fills:.3} {outcome:?}");
}

#[test]
fn nothing_is_sent_again_that_was_not_lost() {
    for loss in [1_000, 10_000] {
        let path = Path {
            loss,
            ..Path::of_the_office()
        };
        let outcome = transfer(Config::default(), path, SECONDS(1), SECONDS(20));
        let share = outcome.resent.saturating_sub(outcome.lost) as f64 / outcome.carried as f64;
        assert!(share < 0.001, "{share:.5} {outcome:?}");
    }
}

#[test]
fn dctcp_fills_a_path_that_marks_early_and_loses_nothing() {
    let path = Path {
        round_trip: Duration::from_millis(1),
        mark: 10,
        ..Path::of_the_office()
    };
    let config = Config {
        ecn: EcnMode::Active,
        ..with(CongestionControl::Dctcp)
    };
    let outcome = transfer(config, path, SECONDS(2), SECONDS(20));
    let share = outcome.share_of(&path);
    assert!(share >= 0.95 && outcome.lost == 0, "{share:.3} {outcome:?}");
}

#[test]
fn vegas_fills_a_path_without_filling_its_queue() {
    let path = Path::of_the_office();
    let config = with(CongestionControl::Vegas);
    let outcome = transfer(config, path, SECONDS(30), SECONDS(30));
    let share = outcome.share_of(&path);
    assert!(share >= 0.90 && outcome.lost == 0, "{share:.3} {outcome:?}");
}

#[test]
fn bbr_fills_a_path_and_bears_random_loss_that_halves_others() {
    let path = Path::of_the_office();
    let bbr = with(CongestionControl::Bbr);
    let clean = transfer(bbr, path, SECONDS(5), SECONDS(30));
    let share = clean.share_of(&path);
    assert!(share >= 0.90, "{share:.3} {clean:?}");

    let lossy = Path {
        loss: 1_000,
        ..path
    };
    let with_bbr = transfer(bbr, lossy, SECONDS(5), SECONDS(30)).share_of(&lossy);
    let with_cubic = transfer(Config::default(), lossy, SECONDS(5), SECONDS(30)).share_of(&lossy);
    assert!(
        with_bbr >= 2.0 * with_cubic,
        "{with_bbr:.3} {with_cubic:.3}"
    );
}

#[test]
fn pacing_fills_a_long_path_behind_a_short_queue_sooner() {
    let path = Path {
        round_trip: Duration::from_millis(100),
        ..Path::of_the_office()
    };
    let bursts = Config {
        pacing: false,
        ..Config::default()
    };
    let paced = transfer(Config::default(), path, Duration::ZERO, SECONDS(6)).share_of(&path);
    let bursty = transfer(bursts, path, Duration::ZERO, SECONDS(6)).share_of(&path);
    assert!(paced >= 2.0 * bursty, "{paced:.3} {bursty:.3}");
}
