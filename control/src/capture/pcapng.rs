//! Captures as pcapng.

use std::time::Duration;

use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriteError, PcapNgWriter};
use pcap_file::{DataLink, Endianness};

use super::block::Record;
use super::recorder::Counts;

/// Writes blocks to memory.
pub(crate) struct Pcapng(PcapNgWriter<Vec<u8>>);

impl Pcapng {
    /// With the header of a section.
    ///
    /// # Errors
    /// None that memory would have.
    pub(crate) fn new() -> Result<Self, PcapNgWriteError> {
        let application = concat!("wirepath ", env!("CARGO_PKG_VERSION"));
        let section = SectionHeaderBlock {
            endianness: Endianness::native(),
            options: vec![SectionHeaderOption::UserApplication(application.into())],
            ..SectionHeaderBlock::default()
        };
        PcapNgWriter::with_section_header(Vec::new(), section).map(Self)
    }

    /// Another interface, whose number is the next.
    pub(crate) fn interface(
        &mut self,
        link: DataLink,
        (name, filter): (&str, &str),
        snaplen: u32,
    ) -> Result<(), PcapNgWriteError> {
        let mut block = InterfaceDescriptionBlock::new(link, snaplen);
        block.options = vec![
            InterfaceDescriptionOption::IfName(name.into()),
            InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO),
        ];
        if !filter.is_empty() {
            // Its first byte says that it is text.
            let text = [b"\0", filter.as_bytes()].concat();
            let option = InterfaceDescriptionOption::IfFilter(text.into());
            block.options.push(option);
        }
        self.0.write_block(&block.into_block()).map(drop)
    }

    /// A frame.
    pub(crate) fn frame(&mut self, record: &Record<'_>) {
        record.write(self.0.get_mut());
    }

    /// What became of the frames of the interface of this number, from begin to end.
    pub(super) fn statistics(
        &mut self,
        interface: u32,
        counts: Counts,
        (begin, end): (Duration, Duration),
    ) -> Result<(), PcapNgWriteError> {
        let block = InterfaceStatisticsBlock {
            interface_id: interface,
            timestamp: end,
            options: vec![
                InterfaceStatisticsOption::IsbStartTime(begin),
                InterfaceStatisticsOption::IsbEndTime(end),
                InterfaceStatisticsOption::IsbIfRecv(counts.seen),
                InterfaceStatisticsOption::IsbFilterAccept(counts.taken),
                InterfaceStatisticsOption::IsbIfDrop(counts.lost),
            ],
        };
        self.0.write_block(&block.into_block()).map(drop)
    }

    /// The blocks since the last time.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.0.get_mut())
    }
}

impl std::fmt::Debug for Pcapng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pcapng({} bytes)", self.0.get_ref().len())
    }
}
