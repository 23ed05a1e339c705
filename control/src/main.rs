//! The `wirepath` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    wirepath::cli::main()
}
