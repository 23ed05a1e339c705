//! A virtual network and clock for the stack, and a judge.
//!
//! A [`Scenario`](scenario::Scenario) is drawn from a seed: hosts, a link with its faults, and
//! what each end of each connection is going to do. [`play`] runs it in virtual time. The same
//! seed gives the same run, to the last frame.
#![forbid(unsafe_code)]

pub mod by_hand;
mod checker;
pub mod end;
pub mod goodput;
pub mod host;
pub mod hostile;
mod monitor;
pub mod node;
pub mod plan;
pub mod scenario;
mod simulation;
pub mod trace;

pub use simulation::{Failure, Report, Simulation, play};
