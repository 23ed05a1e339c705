//! Services on the stack: echo, discard, chargen.
#![forbid(unsafe_code)]
