//! The wirepath runtime and command.
#![deny(unsafe_code)]

pub mod netns;
