//! How a device is opened.

use std::time::Duration;

use crate::limits::{HEADROOM, LINK_HEADERS};

/// Whether the driver writes frames straight into our memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ZeroCopy {
    /// Where the driver can; otherwise the kernel copies.
    #[default]
    Auto,
    /// Or fail to open.
    On,
    /// Never. The right choice for a program attached in skb mode.
    Off,
}

/// How to open a device. The default suits an MTU of 1500 and the busiest of queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of one frame, headroom included: 2048 or 4096.
    pub frame_size: u32,
    /// Frames of the device. Half of them, but at most `ring_size`, are kept for receiving, so
    /// that however much is sent, the receive side always has frames.
    pub frame_count: u32,
    /// Entries of each of the four rings; a power of two.
    pub ring_size: u32,
    /// Whether the driver may write frames straight into our memory.
    pub zero_copy: ZeroCopy,
    /// How long to wait for a queue that is taken: the kernel lets go of a closed socket late.
    pub bind_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            frame_size: 4096,
            frame_count: 4096,
            ring_size: 2048,
            zero_copy: ZeroCopy::Auto,
            bind_timeout: Duration::from_secs(2),
        }
    }
}

impl Options {
    /// How many frames are kept for receiving: in the fill ring, or received and not yet taken.
    pub(crate) fn receive_share(&self) -> usize {
        self.ring_size.min(self.frame_count / 2) as usize
    }

    /// The largest MTU whose packets fit a frame with their link headers, in bytes.
    #[must_use]
    pub fn largest_mtu(&self) -> usize {
        (self.frame_size as usize).saturating_sub(HEADROOM + LINK_HEADERS)
    }

    /// What is wrong with the numbers, if anything.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        if ![2048, 4096].contains(&self.frame_size) {
            return Some("the frame size must be 2048 or 4096 bytes");
        }
        if !self.ring_size.is_power_of_two() {
            return Some("the ring size must be a power of two");
        }
        if self.frame_count < 4 {
            return Some("there must be 4 frames or more");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_frames_are_for_receiving_unless_the_ring_is_smaller() {
        let share = |frame_count, ring_size| {
            Options {
                frame_count,
                ring_size,
                ..Options::default()
            }
            .receive_share()
        };
        assert_eq!(share(4096, 2048), 2048);
        assert_eq!(share(256, 2048), 128);
        assert_eq!(share(4096, 64), 64);
    }

    #[test]
    fn flaws_are_named() {
        let flaw = |frame_size, frame_count, ring_size| {
            Options {
                frame_size,
                frame_count,
                ring_size,
                ..Options::default()
            }
            .flaw()
        };
        assert_eq!(flaw(4096, 4096, 2048), None);
        assert_eq!(flaw(2048, 4, 1), None);
        assert!(flaw(3000, 4096, 2048).unwrap().contains("frame size"));
        assert!(flaw(4096, 3, 2048).unwrap().contains("4 frames"));
        assert!(flaw(4096, 4096, 1000).unwrap().contains("power of two"));
    }
}
