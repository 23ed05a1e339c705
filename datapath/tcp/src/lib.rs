//! TCP as a value: no device, frame, thread, clock or randomness.
#![forbid(unsafe_code)]
