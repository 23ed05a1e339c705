//! One 802.1Q tag, between the Ethernet header and what it announces.

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Error;
use crate::ethernet::EtherType;

/// Bytes of a tag with the EtherType after it.
pub const HEADER_LEN: usize = size_of::<Layout>();

/// The tag control information of IEEE 802.1Q: priority, drop eligibility and VLAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tag(pub u16);

impl Tag {
    /// The tag of VLAN `id`, of which the low 12 bits count, at the default priority.
    #[must_use]
    pub const fn new(id: u16) -> Self {
        Self(id & 0x0FFF)
    }

    /// The VLAN, 0 to 4095; 0 is a priority without a VLAN.
    #[must_use]
    pub const fn id(self) -> u16 {
        self.0 & 0x0FFF
    }

    /// The priority code point, 0 to 7.
    #[must_use]
    pub const fn priority(self) -> u8 {
        (self.0 >> 13) as u8
    }
}

/// A tag and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The tag.
    pub tag: Tag,
    /// What follows.
    pub ether_type: EtherType,
}

/// What a frame with a tag carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tagged<'a> {
    /// The header.
    pub header: Header,
    /// All bytes after the header.
    pub payload: &'a [u8],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Layout {
    tag: U16,
    ether_type: U16,
}

/// Reads the payload of a frame of [`EtherType::VLAN`].
///
/// # Errors
/// [`Error::VlanShort`].
pub fn parse(bytes: &[u8]) -> Result<Tagged<'_>, Error> {
    let (layout, payload) = Layout::ref_from_prefix(bytes).map_err(|_| Error::VlanShort)?;
    let header = Header {
        tag: Tag(layout.tag.get()),
        ether_type: EtherType(layout.ether_type.get()),
    };
    Ok(Tagged { header, payload })
}

impl Header {
    /// Writes it to the front of `buffer`; bytes taken, or `None` where it is too short.
    #[must_use]
    pub fn emit(&self, buffer: &mut [u8]) -> Option<usize> {
        let layout = Layout {
            tag: U16::new(self.tag.0),
            ether_type: U16::new(self.ether_type.0),
        };
        layout.write_to_prefix(buffer).ok()?;
        Some(HEADER_LEN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{HEADER_LEN, Header, Tag, parse};
    use crate::Error;
    use crate::ethernet::EtherType;

    #[test]
    fn fields_of_a_tag() {
        let tagged = parse(&[0xE1, 0x23, 0x08, 0x00, 7]).unwrap();
        assert_eq!(
            (tagged.header.tag.id(), tagged.header.tag.priority()),
            (0x123, 7)
        );
        assert_eq!(tagged.header.ether_type, EtherType::IPV4);
        assert_eq!(tagged.payload, [7]);
        assert_eq!(Tag::new(0xF123), Tag(0x0123));
    }

    #[test]
    fn short_buffers_and_frames() {
        let header = Header {
            tag: Tag::new(5),
            ether_type: EtherType::IPV6,
        };
        for len in 0..HEADER_LEN {
            assert_eq!(header.emit(&mut vec![0; len]), None);
            assert_eq!(parse(&vec![0; len]), Err(Error::VlanShort));
        }
    }

    proptest! {
        #[test]
        fn parse_inverts_emit(tag: u16, kind: u16, tail: Vec<u8>) {
            let header = Header { tag: Tag(tag), ether_type: EtherType(kind) };
            let mut bytes = vec![0; HEADER_LEN];
            prop_assert_eq!(header.emit(&mut bytes), Some(HEADER_LEN));
            bytes.extend(&tail);
            let tagged = parse(&bytes).unwrap();
            prop_assert_eq!((tagged.header, tagged.payload), (header, &tail[..]));
        }
    }
}
