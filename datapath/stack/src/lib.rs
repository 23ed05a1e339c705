//! One worker of the stack.
#![forbid(unsafe_code)]
