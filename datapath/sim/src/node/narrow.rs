//! A link in the middle that carries shorter packets than those at the ends.

use wirepath_tcp::time::Instant;
use wirepath_wire::ethernet;
use wirepath_wire::icmp::Cause;
use wirepath_wire::ip;

use super::{Node, Output, WireFrame};
use crate::by_hand;

/// Bytes of the Ethernet header.
const LINK_HEADER: usize = 14;

/// Bytes of the longest packet that there is.
const ANY: usize = 65_535;

/// Packets that are longer than the link carries are lost. Either the router before it says so
/// (RFC 1191 4, RFC 8201 4), or the link is a black hole for them (RFC 2923 2.1).
pub struct Narrow {
    /// From when on it carries how many bytes of packet, in the order of time.
    steps: Vec<(Instant, usize)>,
    tells: bool,
}

impl Narrow {
    /// A link that carries all before the first of `steps`.
    #[must_use]
    pub const fn new(steps: Vec<(Instant, usize)>, tells: bool) -> Self {
        Self { steps, tells }
    }

    fn mtu(&self, now: Instant) -> usize {
        let mut past = self.steps.iter().rev();
        let now = past.find(|(from, _)| *from <= now);
        now.map_or(ANY, |(_, mtu)| *mtu)
    }
}

impl Node for Narrow {
    fn process(&mut self, now: Instant, frame: Option<WireFrame>) -> Output {
        let Some(frame) = frame else {
            return Output::None;
        };
        let mtu = self.mtu(now);
        if frame.len() <= LINK_HEADER + mtu {
            return Output::Frame(frame);
        }
        let told = self.tells.then(|| too_big(&frame, mtu));
        told.flatten().map_or(Output::None, Output::Back)
    }
}

/// The ICMP error about a frame, as if the one that it was for had sent it.
fn too_big(frame: &[u8], mtu: usize) -> Option<WireFrame> {
    let header = ethernet::parse(frame).ok()?.header;
    let packet = &frame[LINK_HEADER..];
    let from = ip::parse(packet).ok()?.header.destination;
    let mtu = u32::try_from(mtu).ok()?;
    let (packet, message) = by_hand::report(from, Cause::PacketTooBig { mtu }, packet)?;
    Some(by_hand::frame(header.source, &packet, &message))
}
