//! TCP: RFC 9293 3.1.

mod segment;

pub use segment::{
    Flags, Header, Options, SackBlock, SackBlocks, Segment, Timestamps, UnscaledWindow, WindowScale,
};
