//! A ping: a frame as our stack would send it, with the times at which it passed in its text.

use std::net::Ipv4Addr;

use wirepath_wire::checksum::Sum;
use wirepath_wire::ethernet::MacAddr;

/// Ethernet, IPv4, and TCP with timestamps: what a message of our stack has before it.
pub(super) const HEADERS: usize = 14 + 20 + 32;
/// The text holds four numbers of eight bytes.
pub(super) const LEAST_TEXT: usize = 4 * 8;
/// Of the reflector.
const PORT: u16 = 7;

/// The number of a ping, and when it passed, in nanoseconds of the machine's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stamps {
    pub(super) number: u64,
    pub(super) sent: u64,
    /// At the reflector; zero from one that has another clock.
    pub(super) came: u64,
    pub(super) went: u64,
}

impl Stamps {
    /// Of a ping that says nothing but its number.
    pub(super) fn numbered(number: u16) -> Self {
        Self {
            number: number.into(),
            ..Self::default()
        }
    }
}

/// From where to where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) macs: [MacAddr; 2],
    pub(super) addresses: [Ipv4Addr; 2],
    /// The pinger's, which decides the queue where a card spreads what comes back.
    pub(super) port: u16,
}

/// Writes a ping with `text` bytes after its headers; returns its length.
pub(super) fn write(bytes: &mut [u8], way: &Way, text: usize, stamps: &Stamps) -> usize {
    let len = HEADERS + text;
    let bytes = &mut bytes[..len];
    bytes.fill(0);
    bytes[..6].copy_from_slice(&way.macs[1].0);
    bytes[6..12].copy_from_slice(&way.macs[0].0);
    bytes[12..14].copy_from_slice(&[8, 0]);
    bytes[14] = 0x45;
    bytes[16..18].copy_from_slice(&((len - 14) as u16).to_be_bytes());
    bytes[20] = 0x40;
    (bytes[22], bytes[23]) = (64, 6);
    bytes[26..30].copy_from_slice(&way.addresses[0].octets());
    bytes[30..34].copy_from_slice(&way.addresses[1].octets());
    let sum = Sum::of(&bytes[14..34]).checksum();
    bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    bytes[34..36].copy_from_slice(&way.port.to_be_bytes());
    bytes[36..38].copy_from_slice(&PORT.to_be_bytes());
    // Eight words of header, PSH and ACK. Nobody on the way checks the checksum of the text.
    (bytes[46], bytes[47]) = (0x80, 0x18);
    stamp(bytes, stamps);
    len
}

/// Writes the times into a ping.
pub(super) fn stamp(bytes: &mut [u8], stamps: &Stamps) {
    let numbers = [stamps.number, stamps.sent, stamps.came, stamps.went];
    for (room, number) in bytes[HEADERS..].chunks_exact_mut(8).zip(numbers) {
        room.copy_from_slice(&number.to_be_bytes());
    }
}

/// The times of a ping; `None` of a frame that is none.
pub(super) fn read(bytes: &[u8]) -> Option<Stamps> {
    let port = Some(&PORT.to_be_bytes()[..]);
    let is_ours = bytes.get(34..36) == port || bytes.get(36..38) == port;
    let is_ping = bytes.get(12..14) == Some(&[8, 0]) && is_ours;
    let text = bytes
        .get(HEADERS..HEADERS + LEAST_TEXT)
        .filter(|_| is_ping)?;
    let mut numbers = text.chunks_exact(8).map(|chunk| {
        let number = chunk.try_into().map(u64::from_be_bytes);
        number.unwrap_or_default()
    });
    let mut next = || numbers.next().unwrap_or_default();
    Some(Stamps {
        number: next(),
        sent: next(),
        came: next(),
        went: next(),
    })
}

/// Sends it back where it came from; its checksums stay right.
pub(super) fn turn(bytes: &mut [u8]) {
    let swaps = [(0, 6, 6), (26, 30, 4), (34, 36, 2)];
    for (first, second, len) in swaps {
        for at in 0..len {
            bytes.swap(first + at, second + at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_that_was_turned_comes_from_where_it_went_and_says_what_it_said() {
        let way = Way {
            macs: [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])],
            addresses: [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)],
            port: 7,
        };
        let stamps = Stamps {
            number: 7,
            sent: 8,
            came: 9,
            went: 10,
        };
        let (mut there, mut back) = ([0xAA; 200], [0; 200]);
        let len = write(&mut there, &way, 64, &stamps);
        assert_eq!(read(&there[..len]), Some(stamps));
        turn(&mut there[..len]);
        let returned = Way {
            macs: [way.macs[1], way.macs[0]],
            addresses: [way.addresses[1], way.addresses[0]],
            port: 7,
        };
        assert_eq!(write(&mut back, &returned, 64, &stamps), len);
        assert_eq!(there[..len], back[..len]);
        assert_eq!(read(&there[..HEADERS + 31]), None);
    }
}
