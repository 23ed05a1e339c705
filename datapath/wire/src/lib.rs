//! Bytes to values and back, for every protocol the stack speaks.
#![forbid(unsafe_code)]

pub mod seq;
pub mod tcp;
