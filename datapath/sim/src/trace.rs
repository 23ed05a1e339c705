//! What can be seen on the wire.

use std::fmt;

use wirepath_tcp::time::Instant;
use wirepath_wire::ethernet::{self, EtherType};
use wirepath_wire::ip::{self, Protocol};
use wirepath_wire::tcp::{self, ChecksumPolicy, Flags};

use crate::plan::Side;

/// A frame that leaves a host, or comes to one. Prints as one line.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// When.
    pub at: Instant,
    /// Who sent it.
    pub from: Side,
    /// Whether it has arrived, or is about to set out.
    pub arrived: bool,
    /// Its bytes.
    pub frame: &'a [u8],
}

impl fmt::Display for Sighting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.at.as_nanos();
        let arrow = match (self.from, self.arrived) {
            (Side::Client, false) => "C>     ",
            (Side::Client, true) => "     >S",
            (Side::Server, false) => "     <S",
            (Side::Server, true) => "C<     ",
        };
        let (seconds, micros) = (nanos / 1_000_000_000, nanos / 1_000 % 1_000_000);
        write!(f, "{seconds:4}.{micros:06} {arrow} ")?;
        self.write_frame(f)
    }
}

impl Sighting<'_> {
    fn write_frame(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = match ethernet::parse(self.frame) {
            Ok(frame) if frame.header.ether_type != EtherType::ARP => frame,
            Ok(_) => return write!(f, "ARP"),
            Err(error) => return write!(f, "{error}"),
        };
        let packet = match ip::parse(frame.payload) {
            Ok(packet) if packet.header.protocol == Protocol::TCP => packet,
            Ok(packet) => return write!(f, "protocol {}", packet.header.protocol.0),
            Err(error) => return write!(f, "{error}"),
        };
        match tcp::parse(&packet, ChecksumPolicy::Whole) {
            Ok(received) => write_segment(f, &received),
            Err(error) => write!(f, "{error}"),
        }
    }
}

fn write_segment(f: &mut fmt::Formatter<'_>, received: &tcp::Received<'_>) -> fmt::Result {
    let tcp::Received { ports, segment, .. } = received;
    let header = &segment.header;
    write!(f, "{}>{} ", ports.source, ports.destination)?;
    let names = [
        (Flags::SYN, 'S'),
        (Flags::FIN, 'F'),
        (Flags::RST, 'R'),
        (Flags::PSH, 'P'),
        (Flags::ACK, '.'),
    ];
    for (flag, name) in names {
        let shown = if segment.has(flag) { name } else { ' ' };
        write!(f, "{shown}")?;
    }
    let (seq, ack) = (header.seq.value(), header.ack.value());
    let (len, window) = (segment.payload.len(), header.window.0);
    write!(f, " {seq}({len}) ack {ack} win {window}")?;
    let options = &header.options;
    if let Some(mss) = options.mss {
        write!(f, " mss {mss}")?;
    }
    if let Some(scale) = options.window_scale {
        write!(f, " wscale {}", scale.shift())?;
    }
    if let Some(timestamps) = options.timestamps {
        write!(f, " ts {}/{}", timestamps.value, timestamps.echo)?;
    }
    for block in options.sack.as_slice() {
        write!(f, " sack {}-{}", block.left.value(), block.right.value())?;
    }
    Ok(())
}
