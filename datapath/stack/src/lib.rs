//! One worker of the stack: frames in, connections, services, frames out.
//!
//! A [`worker::Worker`] owns devices, connections and an [`app::App`], and does everything in
//! [`turn`](worker::Worker::turn)s. It shares nothing and knows no clock: `now` is an argument.
#![forbid(unsafe_code)]

pub mod app;
pub mod clock;
pub mod counters;
pub mod flight;
mod flows;
pub mod limits;
pub mod link;
pub mod listeners;
mod patience;
pub mod peers;
mod ports;
pub mod rss;
mod settings;
mod slab;
mod socket;
pub mod tap;
// No part of the interface: the fuzz targets hold it against a model.
#[doc(hidden)]
pub mod wheel;
pub mod worker;
