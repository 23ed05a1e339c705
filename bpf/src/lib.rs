//! The XDP program that steers frames, and typed access to its maps.
