//! One worker, frame by frame.

#[path = "worker/cookies.rs"]
mod cookies;
#[path = "worker/errors.rs"]
mod errors;
#[path = "worker/fast_open.rs"]
mod fast_open;
#[path = "worker/interfaces.rs"]
mod interfaces;
#[path = "worker/lab.rs"]
mod lab;
#[path = "worker/markings.rs"]
mod markings;
#[path = "worker/opens.rs"]
mod opens;
#[path = "worker/pressure.rs"]
mod pressure;
#[path = "worker/rest.rs"]
mod rest;
#[path = "worker/walk.rs"]
mod walk;
