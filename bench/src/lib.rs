//! The `wirepath-bench` command: wirepath measured beside the kernel, under the same conditions.
#![deny(unsafe_code)]

mod bed;
mod cli;
mod compare;
mod contender;
mod environment;
mod goodput;
mod load;
mod plot;
mod priority;
mod queue;
mod reflect;
mod scenario;
pub mod stack;
mod summary;

pub use cli::main;
