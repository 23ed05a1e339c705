//! Links without faults: everything arrives, nothing is sent twice.

use wirepath_sim::play;
use wirepath_sim::scenario::Scenario;

#[test]
fn one_connection_echoes() {
    let report = play(&Scenario::clean(1, 100_000)).unwrap();
    assert_eq!(report.bytes, 200_000);
}
