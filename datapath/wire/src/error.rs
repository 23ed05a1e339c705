//! Why received bytes are refused.

/// Defines [`Error`] once: a variant, its name, and one text that is both doc and message.
macro_rules! errors {
    ($(#[doc = $help:literal] $variant:ident = $name:literal,)*) => {
        /// Why received bytes are refused; every variant is a reason for a drop counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
        #[repr(u8)]
        pub enum Error {
            $(
                #[doc = $help]
                #[error($help)]
                $variant,
            )*
        }

        impl Error {
            /// Every reason, in the order of [`index`](Self::index).
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name of its counter: lower case, words joined by underscores.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Its place in [`ALL`](Self::ALL).
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

errors! {
    #[doc = "frame shorter than an Ethernet header"]
    EthernetShort = "ethernet_short",
    #[doc = "frame ends inside its 802.1Q tag"]
    VlanShort = "vlan_short",
    #[doc = "ARP packet shorter than one for IPv4 over Ethernet"]
    ArpShort = "arp_short",
    #[doc = "ARP packet for another pair of protocols than IPv4 over Ethernet"]
    ArpProtocol = "arp_protocol",
    #[doc = "ARP operation other than request and reply"]
    ArpOperation = "arp_operation",
    #[doc = "IP version does not match the header that was expected"]
    IpVersion = "ip_version",
    #[doc = "packet shorter than an IPv4 header"]
    Ipv4Short = "ipv4_short",
    #[doc = "IPv4 header length below 20 bytes or past the packet"]
    Ipv4HeaderLength = "ipv4_header_length",
    #[doc = "IPv4 total length past the end of the frame"]
    Ipv4TotalLength = "ipv4_total_length",
    #[doc = "IPv4 header checksum wrong"]
    Ipv4Checksum = "ipv4_checksum",
    #[doc = "IPv4 fragment, which this stack does not reassemble"]
    Ipv4Fragment = "ipv4_fragment",
    #[doc = "IPv4 loose or strict source route option"]
    Ipv4SourceRoute = "ipv4_source_route",
    #[doc = "packet shorter than an IPv6 header"]
    Ipv6Short = "ipv6_short",
    #[doc = "IPv6 payload length past the end of the frame"]
    Ipv6PayloadLength = "ipv6_payload_length",
    #[doc = "IPv6 extension header past the end of the packet"]
    Ipv6ExtensionLength = "ipv6_extension_length",
    #[doc = "more IPv6 extension headers than are followed"]
    Ipv6ExtensionCount = "ipv6_extension_count",
    #[doc = "IPv6 option malformed, or unknown and marked to be discarded"]
    Ipv6Option = "ipv6_option",
    #[doc = "IPv6 fragment, which this stack does not reassemble"]
    Ipv6Fragment = "ipv6_fragment",
    #[doc = "IPv6 routing header with segments left"]
    Ipv6SourceRoute = "ipv6_source_route",
    #[doc = "ICMP or ICMPv6 message shorter than its type asks for"]
    IcmpShort = "icmp_short",
    #[doc = "ICMP or ICMPv6 checksum wrong"]
    IcmpChecksum = "icmp_checksum",
    #[doc = "ICMP or ICMPv6 type that this stack has no use for"]
    IcmpType = "icmp_type",
    #[doc = "ICMP or ICMPv6 error that does not quote the start of a TCP segment"]
    IcmpQuote = "icmp_quote",
    #[doc = "neighbor discovery message that fails the checks of RFC 4861 7.1"]
    NdpInvalid = "ndp_invalid",
    #[doc = "segment shorter than a TCP header"]
    TcpShort = "tcp_short",
    #[doc = "TCP data offset below 20 bytes or past the segment"]
    TcpDataOffset = "tcp_data_offset",
    #[doc = "TCP checksum wrong"]
    TcpChecksum = "tcp_checksum",
    #[doc = "TCP checksum left for a device to complete: the peer has transmit offload on"]
    TcpChecksumPartial = "tcp_checksum_partial",
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn names_are_unique_and_indexes_follow_the_list() {
        for (place, error) in Error::ALL.iter().enumerate() {
            assert_eq!(error.index(), place);
            assert!(!error.to_string().is_empty());
            let twins = Error::ALL
                .iter()
                .filter(|other| other.name() == error.name());
            assert_eq!(twins.count(), 1, "{}", error.name());
        }
    }
}
