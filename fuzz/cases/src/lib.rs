//! What the fuzz targets check, as plain functions of bytes.
//!
//! Each module is a target: its `check` panics when the bytes show a bug, and takes any bytes.
//! `fuzz/fuzz_targets` hands them what libFuzzer finds, and the tests of this crate every file of
//! `fuzz/corpus`, so that what was once found stays found without cargo-fuzz.
#![forbid(unsafe_code)]

pub mod frame;
pub mod options;
pub mod script;
pub mod segments;
pub mod seq_ranges;
pub mod syn_cookie;
pub mod two_peers;
pub mod wheel;

mod settings;
mod text;

/// A target's check.
pub type Check = fn(&[u8]);

/// Every target, by the name that `fuzz/fuzz_targets` and `fuzz/corpus` give it.
pub const TARGETS: [(&str, Check); 8] = [
    ("frame", frame::check),
    ("options", options::check),
    ("script", script::check),
    ("segments", segments::check),
    ("seq_ranges", seq_ranges::check),
    ("syn_cookie", syn_cookie::check),
    ("two_peers", two_peers::check),
    ("wheel", wheel::check),
];
