//! The rules of style that the compiler cannot check.
//!
//! `cargo test -p tidy` reads the whole repository and fails with file, line and remedy. Each
//! rule is a function in [`rules`] with a test that shows it bites; what a rule lets through by
//! name is a table at the top of its file.
#![forbid(unsafe_code)]

mod finding;
pub mod rules;
mod scan;
mod tree;

pub use finding::Finding;
pub use tree::{Kind, SourceFile, Tree};

/// Applies every rule to every file; findings come sorted by place.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = rules::ALL.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings.dedup();
    findings
}
