//! The AF_XDP device.
