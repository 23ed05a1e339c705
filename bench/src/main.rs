//! The `wirepath-bench` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    wirepath_bench::main()
}
