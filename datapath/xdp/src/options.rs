//! How a device is opened.

use std::time::Duration;

use wirepath_device::LINK_HEADERS;

use crate::limits::{HEADROOM, MAX_SLOTS};

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

/// Whether one packet may lie in several slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MultiBuffer {
    /// Where the MTU needs it. A kernel before 6.6 cannot, nor can some drivers in zero-copy mode:
    /// packets that one slot does not hold are then dropped, and a smaller MTU is announced.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// How to open a device. The default suits an MTU up to 9,000 and the busiest of queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of one slot, headroom included: 2048 or 4096.
    pub frame_size: u32,
    /// Slots of the device. Half of them, but at most `ring_size`, are kept for receiving, so
    /// that however much is sent, the receive side always has some.
    pub frame_count: u32,
    /// Entries of each of the four rings; a power of two.
    pub ring_size: u32,
    /// Whether the driver may write frames straight into our memory.
    pub zero_copy: ZeroCopy,
    /// Whether one packet may lie in several slots.
    pub multi_buffer: MultiBuffer,
    /// Whether [`flush`](wirepath_device::Device::flush) polls the queue, and so enters the kernel
    /// each time. Without effect where the kernel gives the queue no NAPI id, as on veth.
    pub busy_poll: bool,
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
            multi_buffer: MultiBuffer::Auto,
            busy_poll: false,
            bind_timeout: Duration::from_secs(2),
        }
    }
}

impl Options {
    /// How many slots are kept for receiving: in the fill ring, or received and not yet taken.
    pub(crate) fn receive_share(&self) -> usize {
        self.ring_size.min(self.frame_count / 2) as usize
    }

    /// The largest MTU whose packets fit one slot with their link headers, in bytes.
    #[must_use]
    pub fn largest_mtu_of_one_slot(&self) -> usize {
        self.room().saturating_sub(LINK_HEADERS)
    }

    /// The largest MTU, in bytes.
    #[must_use]
    pub fn largest_mtu(&self) -> usize {
        (MAX_SLOTS * self.room()).saturating_sub(LINK_HEADERS)
    }

    /// Bytes of a frame that one slot holds.
    fn room(&self) -> usize {
        (self.frame_size as usize).saturating_sub(HEADROOM)
    }

    /// Slots that a packet of `mtu` bytes takes.
    pub(crate) fn slots(&self, mtu: usize) -> usize {
        (mtu + LINK_HEADERS).div_ceil(self.room())
    }

    /// What is wrong with the numbers, if anything.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        if ![2048, 4096].contains(&self.frame_size) {
            return Some("the frame size must be 2048 or 4096 bytes");
        }
        if !self.ring_size.is_power_of_two() {
            return Some("the ring size must be a power of two");
        }
        if (self.frame_count as usize) < 4 * MAX_SLOTS {
            return Some("there must be 24 frames or more");
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
    fn a_packet_of_9000_bytes_takes_three_slots_of_4_kib() {
        let options = Options::default();
        assert_eq!(options.largest_mtu_of_one_slot(), 3822);
        assert_eq!([3822, 3823, 9000].map(|mtu| options.slots(mtu)), [1, 2, 3]);
        assert_eq!(options.slots(options.largest_mtu()), MAX_SLOTS);
        let small = Options {
            frame_size: 2048,
            ..options
        };
        assert_eq!((small.slots(9000), small.largest_mtu()), (6, 10_734));
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
        assert_eq!(flaw(2048, 24, 1), None);
        assert!(flaw(3000, 4096, 2048).unwrap().contains("frame size"));
        assert!(flaw(4096, 23, 2048).unwrap().contains("24 frames"));
        assert!(flaw(4096, 4096, 1000).unwrap().contains("power of two"));
    }
}
