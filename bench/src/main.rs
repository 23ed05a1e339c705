//! The `wirepath-bench` command: wirepath measured beside the kernel, under the same conditions.
#![forbid(unsafe_code)]

mod cli;
mod environment;
mod goodput;
mod priority;
mod server;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
