//! Flipped bits.

use fastrand::Rng;
use wirepath_tcp::time::Instant;
use wirepath_wire::ethernet::{self, EtherType};

use super::{Node, Output, WireFrame};

/// Some packets have one byte changed. The damage is a burst of at most eight bits, which the
/// checksums of IP and TCP always find; and it lies behind the link header and not in ARP, as if
/// it happened in a router's memory: on the link itself the frame check sequence finds it.
pub struct Corrupt {
    probability: f64,
    rng: Rng,
}

impl Corrupt {
    /// Packets are damaged with this probability.
    #[must_use]
    pub const fn new(probability: f64, rng: Rng) -> Self {
        Self { probability, rng }
    }
}

impl Node for Corrupt {
    fn process(&mut self, _now: Instant, frame: Option<WireFrame>) -> Output {
        let Some(mut frame) = frame else {
            return Output::None;
        };
        let link = ethernet::parse(&frame).ok();
        let packet = link.filter(|link| link.header.ether_type != EtherType::ARP);
        let start = packet.map(|link| frame.len() - link.payload.len());
        if self.rng.f64() < self.probability
            && let Some(start) = start.filter(|&start| start < frame.len())
        {
            let at = self.rng.usize(start..frame.len());
            frame[at] ^= self.rng.u8(1..);
        }
        Output::Frame(frame)
    }
}
