//! The PROXY protocol, versions 1 and 2, as HAProxy's `proxy-protocol.txt` defines it.

use std::io::Write as _;
use std::net::IpAddr;

use wirepath_wire::tuple::Endpoint;

use super::settings::Version;

/// Longest line of version 1, and more than a header of version 2 that we write.
const LONGEST: usize = 107;
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and that a connection is handed on.
const PROXIED: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// A header that is to be sent.
#[derive(Debug)]
pub(super) struct Header {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Header {
    /// Of a client's connection, from where to where.
    pub(super) fn new(version: Version, client: Endpoint, server: Endpoint) -> Self {
        let mut bytes = [0; LONGEST];
        let mut rest = &mut bytes[..];
        let written = match version {
            Version::V1 => write_v1(&mut rest, client, server),
            Version::V2 => write_v2(&mut rest, client, server),
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

fn write_v1(to: &mut &mut [u8], client: Endpoint, server: Endpoint) -> std::io::Result<()> {
    let family = if client.address.is_ipv4() { 4 } else { 6 };
    let (from, at) = (client.address, server.address);
    write!(
        to,
        "PROXY TCP{family} {from} {at} {} {}\r\n",
        client.port, server.port
    )
}

fn write_v2(to: &mut &mut [u8], client: Endpoint, server: Endpoint) -> std::io::Result<()> {
    to.write_all(&SIGNATURE)?;
    match (client.address, server.address) {
        (IpAddr::V4(from), IpAddr::V4(at)) => {
            to.write_all(&[PROXIED, TCP_OVER_IPV4, 0, 12])?;
            to.write_all(&from.octets())?;
            to.write_all(&at.octets())?;
        }
        (from, at) => {
            let octets = |address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            to.write_all(&[PROXIED, TCP_OVER_IPV6, 0, 36])?;
            to.write_all(&octets(from))?;
            to.write_all(&octets(at))?;
        }
    }
    to.write_all(&client.port.to_be_bytes())?;
    to.write_all(&server.port.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        text.parse::<std::net::SocketAddr>().unwrap().into()
    }

    #[test]
    fn version_1_is_a_line() {
        let (client, server) = (endpoint("192.0.2.1:56324"), endpoint("198.51.100.7:443"));
        let header = Header::new(Version::V1, client, server);
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";
        assert_eq!(header.bytes(), line);
    }

    #[test]
    fn the_longest_line_of_version_1_has_room() {
        let long = endpoint("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
        let header = Header::new(Version::V1, long, long);
        assert_eq!(header.bytes().len(), 104);
        assert!(header.bytes().ends_with(b" 65535 65535\r\n"));
    }

    #[test]
    fn version_2_is_binary() {
        let (client, server) = (endpoint("192.0.2.1:1000"), endpoint("198.51.100.7:443"));
        let header = Header::new(Version::V2, client, server);
        let addresses = [192, 0, 2, 1, 198, 51, 100, 7, 3, 232, 1, 187];
        let whole = [&SIGNATURE[..], &[0x21, 0x11, 0, 12], &addresses].concat();
        assert_eq!(header.bytes(), whole);
        let (client, server) = (endpoint("[2001:db8::1]:1"), endpoint("[2001:db8::2]:2"));
        let header = Header::new(Version::V2, client, server);
        assert_eq!(header.bytes()[12..16], [0x21, 0x21, 0, 36]);
        assert_eq!(header.bytes().len(), 16 + 36);
    }
}
