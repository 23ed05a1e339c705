//! The link that a host of packets does not have: frames around packets, for the stack.

use wirepath_wire::ethernet::{self, EtherType, MacAddr};

/// The station of the host.
pub(crate) const OURS: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
/// The station of everybody else.
pub(crate) const THEIRS: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
/// Bytes before the packet.
const HEADER_LEN: usize = 14;

/// Writes a frame around `packet` into `frame`; nothing where it is of no IP version.
pub(crate) fn wrap(packet: &[u8], frame: &mut Vec<u8>) -> bool {
    let ether_type = match packet.first().map(|byte| byte >> 4) {
        Some(4) => EtherType::IPV4,
        Some(6) => EtherType::IPV6,
        _ => return false,
    };
    let header = ethernet::Header {
        destination: OURS,
        source: THEIRS,
        ether_type,
    };
    frame.clear();
    frame.resize(HEADER_LEN, 0);
    let written = header.emit(frame);
    frame.extend_from_slice(packet);
    written.is_some()
}

/// The packet in a frame of ours; `None` where it is for the link alone.
pub(crate) fn unwrap(frame: &[u8]) -> Option<&[u8]> {
    let parsed = ethernet::parse(frame).ok()?;
    let is_ip = matches!(parsed.header.ether_type, EtherType::IPV4 | EtherType::IPV6);
    is_ip.then_some(parsed.payload)
}
