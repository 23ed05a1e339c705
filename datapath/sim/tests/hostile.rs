//! No hostile segment costs more than ten clean ones, nor holds memory over its cap.

use std::path::Path;

use wirepath_sim::hostile::{self, MOST_BLOCKS, MOST_HALF_OPEN, MOST_TIMES};
use wirepath_tcp::limits::SEGMENTS_IN_FLIGHT;

/// Instructions are counted, not time: what fails here fails everywhere.
#[test]
fn no_hostile_segment_costs_more_than_ten_clean_ones() {
    let program = Path::new(env!("CARGO_BIN_EXE_wirepath-sim"));
    let costs = hostile::measure(program).expect("valgrind (scripts/setup installs it)");
    let dear: Vec<_> = costs
        .iter()
        .filter(|cost| cost.times.is_nan() || cost.times > MOST_TIMES)
        .collect();
    assert!(dear.is_empty(), "{dear:#?}");
}

#[test]
fn no_hostile_peer_holds_more_than_a_connection_may() {
    for kind in hostile::Kind::all() {
        let held = hostile::play(kind);
        let within = held.blocks <= MOST_BLOCKS && held.half_open <= MOST_HALF_OPEN;
        assert!(within, "{}: {held:?}", kind.name);
    }
}

/// RFC 4987 3.6, RFC 5961 7: nobody is made to send more than is sent to him.
#[test]
fn no_hostile_segment_to_a_receiver_is_answered_by_more_than_one() {
    for kind in hostile::Kind::all().filter(|kind| kind.beside == "clean text") {
        let held = hostile::play(kind);
        assert!(held.sent <= 1.0, "{}: {held:?}", kind.name);
    }
}

/// What is measured is what it says: the attacks on a scoreboard find it full.
#[test]
fn a_tiny_mss_fills_the_log_of_segments_in_flight() {
    let tiny = hostile::Kind::all().filter(|kind| kind.name.contains("tiny MSS"));
    let held: Vec<_> = tiny.map(hostile::play).collect();
    assert_eq!(held.len(), 6);
    for held in held {
        assert_eq!(held.in_flight, SEGMENTS_IN_FLIGHT, "{held:?}");
    }
}
