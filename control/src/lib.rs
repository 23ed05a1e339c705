//! The wirepath runtime and command.
//!
//! [`runtime::Runtime`] is a server: an XDP program, AF_XDP sockets on all queues of an interface,
//! and worker threads. [`config`] is what it is told, [`api`] how a running one is asked, [`cli`]
//! the command.
#![deny(unsafe_code)]

pub mod access_log;
pub mod api;
pub mod capture;
pub mod cli;
pub mod config;
pub mod netns;
pub mod runtime;
