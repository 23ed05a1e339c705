//! How fast bulk transfers go, in virtual time.

use std::time::Duration;

use wirepath_sim::goodput::{self, Bulk};

/// Six seconds a cell, the first not counted. When it changes on purpose:
/// `INSTA_UPDATE=always cargo test -p wirepath-sim --test goodput`.
#[test]
fn goodput_over_loss_and_round_trip_is_as_recorded() {
    let table = goodput::table(Duration::from_secs(6)).unwrap();
    insta::assert_snapshot!("loss_and_round_trip", table);
}

/// 99 % of the text that the link can carry: the headers of full segments take 4.4 % of it.
#[test]
fn a_minute_without_random_loss_fills_99_percent_of_the_link_behind_a_queue_of_64() {
    let bulk = Bulk {
        time: Duration::from_secs(61),
        ..Bulk::default()
    };
    let measured = bulk.measure().unwrap();
    assert!(measured.goodput >= 0.99 * bulk.model(), "{measured:?}");
}
