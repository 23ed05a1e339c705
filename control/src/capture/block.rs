//! A frame as a block of pcapng. Workers write these themselves, so that what one worker recorded
//! is not touched again on its way out; the blocks that are few are left to a library.

use std::time::Duration;

use wirepath_stack::tap::Direction;

/// Type of the block that holds a frame.
pub(crate) const ENHANCED_PACKET: u32 = 6;
/// Type, length, interface, two halves of the time, bytes kept, and bytes of the frame.
const HEAD: usize = 7 * 4;
/// The option that tells the direction, the end of options, and the length again.
const TAIL: usize = 8 + 4 + 4;
/// `epb_flags`: its code and length, and bits 0 and 1.
const FLAGS: [u16; 2] = [2, 4];
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// A frame that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Since 1970.
    pub(crate) time: Duration,
    /// The number of the interface.
    pub(crate) interface: u32,
    pub(crate) direction: Direction,
    /// Of the whole frame.
    pub(crate) len: usize,
    /// As much of it as is kept.
    pub(crate) bytes: &'a [u8],
}

impl Record<'_> {
    /// Bytes of the block of one of which so many bytes are kept.
    pub(super) const fn room_for(kept: usize) -> usize {
        HEAD + kept.next_multiple_of(4) + TAIL
    }

    /// Adds its block, in the byte order of this machine and with times in nanoseconds.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        let room = Self::room_for(self.bytes.len());
        let nanos = self.time.as_nanos() as u64;
        let way = match self.direction {
            Direction::In => INBOUND,
            Direction::Out => OUTBOUND,
        };
        let head = [
            ENHANCED_PACKET,
            room as u32,
            self.interface,
            (nanos >> 32) as u32,
            nanos as u32,
            self.bytes.len() as u32,
            self.len as u32,
        ];
        let mut head_bytes = [0; HEAD];
        words(&mut head_bytes, &head);
        let [code, len] = FLAGS.map(u16::to_ne_bytes);
        let mut tail = [0; TAIL];
        tail[..2].copy_from_slice(&code);
        tail[2..4].copy_from_slice(&len);
        words(&mut tail[4..], &[way, 0, room as u32]);
        let padding = room - HEAD - TAIL - self.bytes.len();
        to.extend_from_slice(&head_bytes);
        to.extend_from_slice(self.bytes);
        to.extend_from_slice(&[0; 3][..padding]);
        to.extend_from_slice(&tail);
    }
}

fn words(to: &mut [u8], words: &[u32]) {
    for (to, word) in to.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
}

/// The blocks of frames in a buffer, each with its time, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Blocks<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<(u64, &'a [u8])> {
        let word = |nth: usize| {
            let bytes = self.0.get(4 * nth..)?.first_chunk()?;
            Some(u32::from_ne_bytes(*bytes))
        };
        let (len, high, low) = (word(1)?, word(3)?, word(4)?);
        let (block, rest) = self.0.split_at_checked(len as usize)?;
        self.0 = rest;
        Some((u64::from(high) << 32 | u64::from(low), block))
    }
}

#[cfg(test)]
mod tests {
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;
    use crate::capture::Pcapng;

    #[test]
    fn a_library_reads_what_is_written() {
        let (first, second) = ([1, 2, 3, 4], [5; 61]);
        let record = |time, direction, bytes| Record {
            time: Duration::from_nanos(time),
            interface: 0,
            direction,
            len: 1_500,
            bytes,
        };
        let records = [
            record(1_700_000_000_123_456_789, Direction::In, &first[..]),
            record(1_700_000_000_123_456_790, Direction::Out, &second[..]),
        ];
        let mut pcapng = Pcapng::new().unwrap();
        let name = ("eth0 queue 0", "");
        pcapng
            .interface(pcap_file::DataLink::ETHERNET, name, 65_535)
            .unwrap();
        let mut file = pcapng.take();
        records.iter().for_each(|record| record.write(&mut file));
        let mut reader = PcapNgReader::new(&file[..]).unwrap();
        let mut read = Vec::new();
        while let Some(block) = reader.next_block() {
            if let (Block::EnhancedPacket(packet), _) = block.unwrap() {
                let [EnhancedPacketOption::Flags(way)] = packet.options[..] else {
                    panic!("{:?}", packet.options);
                };
                read.push((
                    packet.timestamp,
                    way,
                    packet.original_len,
                    packet.data.to_vec(),
                ));
            }
        }
        let expected = |record: &Record<'_>, way| (record.time, way, 1_500, record.bytes.to_vec());
        assert_eq!(read, [expected(&records[0], 1), expected(&records[1], 2)]);
    }

    #[test]
    fn blocks_come_out_whole_with_their_times() {
        let mut buffer = Vec::new();
        let mut ends = Vec::new();
        for nanos in [7, 1 << 40] {
            let record = Record {
                time: Duration::from_nanos(nanos),
                interface: 3,
                direction: Direction::Out,
                len: 5,
                bytes: b"hello",
            };
            record.write(&mut buffer);
            assert_eq!(buffer.len() % Record::room_for(5), 0);
            ends.push(buffer.len());
        }
        let blocks: Vec<_> = Blocks(&buffer).collect();
        assert_eq!(
            blocks,
            [(7, &buffer[..ends[0]]), (1 << 40, &buffer[ends[0]..])]
        );
    }
}
