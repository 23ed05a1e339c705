//! The PROXY protocol, versions 1 and 2, as HAProxy's `proxy-protocol.txt` defines it.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wirepath_wire::tuple::Endpoint;

use super::settings::Version;

/// Longest line of version 1, and more than a header of version 2 that we write.
const LONGEST: usize = 107;
/// Longest header that is taken. One of version 2 may say more of a client than anybody needs.
const LONGEST_TAKEN: usize = 1_024;
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2; the other half says whose connection it is.
const VERSION_2: u8 = 0x20;
const LOCAL: u8 = 0;
const PROXIED: u8 = 1;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
/// Signature, version, family and length.
const HEAD: usize = 16;

/// From where to where a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
}

/// A header that is to be sent.
#[derive(Debug)]
pub(super) struct Header {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Header {
    pub(super) fn new(version: Version, ends: Ends) -> Self {
        let mut bytes = [0; LONGEST];
        let mut rest = &mut bytes[..];
        let written = match version {
            Version::V1 => write_v1(&mut rest, ends),
            Version::V2 => write_v2(&mut rest, ends),
        };
        debug_assert!(written.is_ok(), "a header is longer than any may be");
        let left = rest.len();
        Self {
            bytes,
            len: LONGEST - left,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn write_v1(to: &mut &mut [u8], Ends { client, server }: Ends) -> io::Result<()> {
    let (from, at) = (client.address, server.address);
    match (from, at) {
        (IpAddr::V4(_), IpAddr::V4(_)) => write!(to, "PROXY TCP4 {from} {at}"),
        _ => write!(to, "PROXY TCP6 {} {}", wide(from), wide(at)),
    }?;
    write!(to, " {} {}\r\n", client.port, server.port)
}

fn write_v2(to: &mut &mut [u8], Ends { client, server }: Ends) -> io::Result<()> {
    to.write_all(&SIGNATURE)?;
    to.write_all(&[VERSION_2 | PROXIED])?;
    match (client.address, server.address) {
        (IpAddr::V4(from), IpAddr::V4(at)) => {
            to.write_all(&[TCP_OVER_IPV4, 0, 12])?;
            to.write_all(&from.octets())?;
            to.write_all(&at.octets())?;
        }
        (from, at) => {
            to.write_all(&[TCP_OVER_IPV6, 0, 36])?;
            to.write_all(&wide(from).octets())?;
            to.write_all(&wide(at).octets())?;
        }
    }
    to.write_all(&client.port.to_be_bytes())?;
    to.write_all(&server.port.to_be_bytes())
}

const fn wide(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// What a client's first text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    /// The begin of a header.
    Unfinished,
    /// No header.
    Wrong,
    /// A header of so many bytes. Without ends, the connection is the other proxy's own.
    Header(usize, Option<Ends>),
}

/// Reads a header at the begin of `text`.
pub(super) fn read(text: &[u8]) -> Greeting {
    let longest = text.len() >= LONGEST_TAKEN;
    let known = SIGNATURE.len().min(text.len());
    let greeting = if text[..known] == SIGNATURE[..known] {
        read_v2(text)
    } else {
        read_v1(text)
    };
    match greeting {
        None => Greeting::Wrong,
        Some(Greeting::Unfinished) if longest => Greeting::Wrong,
        Some(greeting) => greeting,
    }
}

fn read_v1(text: &[u8]) -> Option<Greeting> {
    let start = b"PROXY ";
    let known = start.len().min(text.len());
    if text[..known] != start[..known] {
        return None;
    }
    let within = &text[..text.len().min(LONGEST)];
    let Some(end) = within.windows(2).position(|two| two == b"\r\n") else {
        return (within.len() < LONGEST).then_some(Greeting::Unfinished);
    };
    let line = std::str::from_utf8(&text[start.len()..end]).ok()?;
    let words: Vec<&str> = line.split(' ').collect();
    let ends = match words[..] {
        ["UNKNOWN", ..] => None,
        ["TCP4", from, at, from_port, at_port] => {
            let (from, at): (Ipv4Addr, Ipv4Addr) = (from.parse().ok()?, at.parse().ok()?);
            Some(ends(
                from.into(),
                at.into(),
                (from_port.parse().ok()?, at_port.parse().ok()?),
            ))
        }
        ["TCP6", from, at, from_port, at_port] => {
            let (from, at): (Ipv6Addr, Ipv6Addr) = (from.parse().ok()?, at.parse().ok()?);
            Some(ends(
                from.into(),
                at.into(),
                (from_port.parse().ok()?, at_port.parse().ok()?),
            ))
        }
        _ => return None,
    };
    Some(Greeting::Header(end + 2, ends))
}

fn read_v2(text: &[u8]) -> Option<Greeting> {
    let Some(&[version, family, high, low]) = text.get(SIGNATURE.len()..HEAD) else {
        return Some(Greeting::Unfinished);
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if version & 0xF0 != VERSION_2 || HEAD + len > LONGEST_TAKEN {
        return None;
    }
    let Some(body) = text.get(HEAD..HEAD + len) else {
        return Some(Greeting::Unfinished);
    };
    let ends = match (version & 0xF, family) {
        (LOCAL, _) => None,
        (PROXIED, TCP_OVER_IPV4) => Some(ends_v4(body)?),
        (PROXIED, TCP_OVER_IPV6) => Some(ends_v6(body)?),
        // Of a family that we do not know: as if it said nothing.
        (PROXIED, _) => None,
        _ => return None,
    };
    Some(Greeting::Header(HEAD + len, ends))
}

fn ends_v4(body: &[u8]) -> Option<Ends> {
    let (from, rest) = body.split_first_chunk::<4>()?;
    let (at, rest) = rest.split_first_chunk::<4>()?;
    Some(ends((*from).into(), (*at).into(), ports(rest)?))
}

fn ends_v6(body: &[u8]) -> Option<Ends> {
    let (from, rest) = body.split_first_chunk::<16>()?;
    let (at, rest) = rest.split_first_chunk::<16>()?;
    Some(ends((*from).into(), (*at).into(), ports(rest)?))
}

fn ports(bytes: &[u8]) -> Option<(u16, u16)> {
    let &[a, b, c, d] = bytes.first_chunk()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

const fn ends(from: IpAddr, at: IpAddr, (from_port, at_port): (u16, u16)) -> Ends {
    Ends {
        client: Endpoint::new(from, from_port),
        server: Endpoint::new(at, at_port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_of(client: &str, server: &str) -> Ends {
        let endpoint = |text: &str| text.parse::<std::net::SocketAddr>().unwrap().into();
        Ends {
            client: endpoint(client),
            server: endpoint(server),
        }
    }

    fn v4() -> Ends {
        ends_of("192.0.2.1:56324", "198.51.100.7:443")
    }

    fn v6() -> Ends {
        ends_of("[2001:db8::1]:1", "[2001:db8::2]:2")
    }

    #[test]
    fn version_1_is_a_line() {
        let header = Header::new(Version::V1, v4());
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";
        assert_eq!(header.bytes(), line);
    }

    #[test]
    fn the_longest_line_of_version_1_has_room() {
        let long = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
        let header = Header::new(Version::V1, ends_of(long, long));
        assert_eq!(header.bytes().len(), 104);
        assert!(header.bytes().ends_with(b" 65535 65535\r\n"));
    }

    #[test]
    fn version_2_is_binary() {
        let header = Header::new(Version::V2, v4());
        let addresses = [192, 0, 2, 1, 198, 51, 100, 7, 220, 4, 1, 187];
        let whole = [&SIGNATURE[..], &[0x21, 0x11, 0, 12], &addresses].concat();
        assert_eq!(header.bytes(), whole);
        let header = Header::new(Version::V2, v6());
        assert_eq!(header.bytes()[12..16], [0x21, 0x21, 0, 36]);
        assert_eq!(header.bytes().len(), 16 + 36);
    }

    #[test]
    fn what_is_written_is_read_however_it_is_cut() {
        for version in [Version::V1, Version::V2] {
            for ends in [v4(), v6()] {
                let header = Header::new(version, ends);
                let len = header.bytes().len();
                let text = [header.bytes(), b"GET / HTTP/1.1\r\n"].concat();
                for cut in 0..len {
                    assert_eq!(
                        read(&text[..cut]),
                        Greeting::Unfinished,
                        "{version:?} {cut}"
                    );
                }
                for cut in len..text.len() {
                    assert_eq!(read(&text[..cut]), Greeting::Header(len, Some(ends)));
                }
            }
        }
    }

    #[test]
    fn what_says_nothing_of_a_client_is_taken_and_nonsense_is_not() {
        assert_eq!(read(b"PROXY UNKNOWN\r\n"), Greeting::Header(15, None));
        let local = [&SIGNATURE[..], &[0x20, 0, 0, 3, 1, 2, 3]].concat();
        assert_eq!(read(&local), Greeting::Header(19, None));
        let wrong: [&[u8]; 8] = [
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
            b"PROXY TCP4 ::1 ::2 1 2\r\n",
            b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
            &[b'P'; 8],
            // Version 3, and a family whose addresses are cut off.
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04\x01\x02\x03\x04",
        ];
        for text in wrong {
            assert_eq!(read(text), Greeting::Wrong, "{text:?}");
        }
        // Too long a line, and too long a header.
        let line = [&b"PROXY TCP4 "[..], &[b'1'; 100]].concat();
        assert_eq!(read(&line), Greeting::Wrong);
        let long = [&SIGNATURE[..], &[0x21, 0x11, 0xFF, 0xFF]].concat();
        assert_eq!(read(&long), Greeting::Wrong);
    }
}
