//! One module per rule, or per few rules of one kind.

mod crates;
mod marks;
mod modules;
mod rfc;
mod shell;
mod size;
mod unsafety;
mod words;

use crate::{Finding, Tree};

/// A rule reads the whole tree and says what breaks it.
pub type Rule = fn(&Tree) -> Vec<Finding>;

/// Every rule.
pub const ALL: &[Rule] = &[
    size::files,
    size::lines,
    size::rust_functions,
    size::c_functions,
    size::shell_functions,
    unsafety::named_modules,
    unsafety::stale_names,
    unsafety::crate_roots,
    words::phrases,
    words::names,
    marks::open_ends,
    marks::unfinished,
    marks::prints,
    marks::sleeps,
    marks::bare_ignores,
    marks::bare_allows,
    modules::dead,
    crates::direction,
    crates::lints,
    shell::strict,
    rfc::requirements,
];
