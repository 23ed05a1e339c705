//! A page with plots that opens without a network.

use super::report::Report;

pub(super) fn page(report: &Report) -> String {
    report.table()
}
