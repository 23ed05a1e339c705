//! The `wirepath` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    wirepath::cli::main()
}
