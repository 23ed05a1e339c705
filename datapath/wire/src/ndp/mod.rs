//! Neighbor discovery for IPv6 over Ethernet: RFC 4861 4.3, 4.4 and 7, RFC 2464 6.

use std::net::{IpAddr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Error;
use crate::ethernet::MacAddr;
use crate::icmp::Layout;
use crate::icmpv6;
use crate::ip::Header;

/// The hop limit of every such packet: none that a router has passed on is taken.
pub const HOP_LIMIT: u8 = 255;

pub(crate) mod kind {
    pub(crate) const SOLICITATION: u8 = 135;
    pub(crate) const ADVERTISEMENT: u8 = 136;
}

mod option {
    pub(super) const SOURCE_MAC: u8 = 1;
    pub(super) const TARGET_MAC: u8 = 2;
}

const ROUTER: u32 = 1 << 31;
const SOLICITED: u32 = 1 << 30;
const OVERRIDE: u32 = 1 << 29;

/// Asks for the link-layer address of `target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solicitation {
    /// Whom it asks.
    pub target: Ipv6Addr,
    /// Where the asker is; none in a probe for duplicates.
    pub source_mac: Option<MacAddr>,
}

/// Tells the link-layer address of `target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advertisement {
    /// Of whom it tells.
    pub target: Ipv6Addr,
    /// Where the target is.
    pub target_mac: Option<MacAddr>,
    /// Whether the target is a router.
    pub is_router: bool,
    /// Whether it answers a solicitation.
    pub is_solicited: bool,
    /// Whether it replaces what the receiver knew.
    pub is_override: bool,
}

/// A neighbor discovery message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Asks for a link-layer address.
    Solicitation(Solicitation),
    /// Tells one.
    Advertisement(Advertisement),
}

/// The multicast group of all hosts whose address ends as `address` does: RFC 4291 2.7.1.
#[must_use]
pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., low, last] = address.segments();
    Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 1, 0xFF00 | low & 0x00FF, last)
}

/// The option of a link-layer address, source or target: RFC 4861 4.6.1.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct MacOption {
    kind: u8,
    /// In units of 8 bytes.
    length: u8,
    mac: [u8; 6],
}

/// The message after its common header.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Body {
    target: [u8; 16],
    option: MacOption,
}

/// Reads the message whose common header is `layout`, with the checks of RFC 4861 7.1.
pub(crate) fn parse(header: &Header, layout: &Layout, body: &[u8]) -> Result<Message, Error> {
    let (target, options) = body.split_first_chunk::<16>().ok_or(Error::NdpInvalid)?;
    let target = Ipv6Addr::from(*target);
    if header.hop_limit != HOP_LIMIT || layout.code != 0 || target.is_multicast() {
        return Err(Error::NdpInvalid);
    }
    if layout.kind == kind::SOLICITATION {
        let source_mac = find_mac(options, option::SOURCE_MAC)?;
        let group = IpAddr::V6(solicited_node(target));
        let is_probe = header.source.is_unspecified();
        if is_probe && (source_mac.is_some() || header.destination != group) {
            return Err(Error::NdpInvalid);
        }
        return Ok(Message::Solicitation(Solicitation { target, source_mac }));
    }
    let flags = layout.word();
    let is_solicited = flags & SOLICITED != 0;
    if is_solicited && header.destination.is_multicast() {
        return Err(Error::NdpInvalid);
    }
    Ok(Message::Advertisement(Advertisement {
        target,
        target_mac: find_mac(options, option::TARGET_MAC)?,
        is_router: flags & ROUTER != 0,
        is_solicited,
        is_override: flags & OVERRIDE != 0,
    }))
}

/// The first address of kind `wanted`; other options are skipped.
fn find_mac(mut options: &[u8], wanted: u8) -> Result<Option<MacAddr>, Error> {
    let mut found = None;
    while let [kind, length, ..] = *options {
        let bytes = usize::from(length).saturating_mul(size_of::<MacOption>());
        let (option, rest) = options.split_at_checked(bytes).ok_or(Error::NdpInvalid)?;
        if option.is_empty() {
            return Err(Error::NdpInvalid);
        }
        if kind == wanted && found.is_none() {
            found = MacOption::ref_from_bytes(option)
                .ok()
                .map(|option| MacAddr(option.mac));
        }
        options = rest;
    }
    match options {
        [] => Ok(found),
        _ => Err(Error::NdpInvalid),
    }
}

impl Message {
    /// Writes it, to be sent in a packet with `header`, whose hop limit is [`HOP_LIMIT`].
    ///
    /// Bytes taken, or `None` where `buffer` is too short.
    #[must_use]
    pub fn emit(&self, buffer: &mut [u8], header: &Header) -> Option<usize> {
        let (kind, flags) = match self {
            Self::Solicitation(_) => (kind::SOLICITATION, 0),
            Self::Advertisement(advertisement) => (kind::ADVERTISEMENT, advertisement.flags()),
        };
        let (target, option, mac) = match self {
            Self::Solicitation(message) => (message.target, option::SOURCE_MAC, message.source_mac),
            Self::Advertisement(message) => {
                (message.target, option::TARGET_MAC, message.target_mac)
            }
        };
        let layout = Layout::of_word(kind, 0, flags);
        let target = target.octets();
        match mac {
            Some(MacAddr(mac)) => {
                let option = MacOption {
                    kind: option,
                    length: 1,
                    mac,
                };
                icmpv6::emit(buffer, header, layout, Body { target, option }.as_bytes())
            }
            None => icmpv6::emit(buffer, header, layout, &target),
        }
    }
}

impl Advertisement {
    const fn flags(&self) -> u32 {
        let router = if self.is_router { ROUTER } else { 0 };
        let solicited = if self.is_solicited { SOLICITED } else { 0 };
        let replaces = if self.is_override { OVERRIDE } else { 0 };
        router | solicited | replaces
    }
}

#[cfg(test)]
mod tests;
