//! A virtual network and clock for the stack.
#![forbid(unsafe_code)]
