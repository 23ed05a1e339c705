//! How a network card is set up, as ethtool tells it.

use crate::interface::{Interface, Query};

const ETHTOOL_GCOALESCE: u32 = 0x0e;
const ETHTOOL_GRINGPARAM: u32 = 0x10;
const ETHTOOL_GRXFH: u32 = 0x29;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_GRSSH: u32 = 0x46;

/// `ETH_FLAG_RXVLAN` and `ETH_FLAG_LRO`.
const FLAG_RXVLAN: u32 = 1 << 8;
const FLAG_LRO: u32 = 1 << 15;

const TCP_V4_FLOW: u32 = 0x01;
/// `RXH_IP_SRC`, `RXH_IP_DST`, `RXH_L4_B_0_1` and `RXH_L4_B_2_3`.
const FOUR_FIELDS: u64 = 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7;

/// Words of the indirection table and the key together, at most.
const RSS_WORDS: usize = 4096;

/// What a driver tells of its settings; `None` where it tells nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Descriptors of the rings to the card.
    pub rings: Option<RingSizes>,
    /// When the card interrupts.
    pub coalescing: Option<Coalescing>,
    /// How it chooses the queue of a frame.
    pub rss: Option<Rss>,
    /// Whether GRO or LRO merges frames.
    pub merges: bool,
    /// Whether the VLAN tag is taken out of the frame, and so is not seen by XDP.
    pub strips_vlan: bool,
}

/// Descriptors of each receive and transmit ring, and the most there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingSizes {
    /// Of a receive ring.
    pub rx: u32,
    /// Of a receive ring, at most.
    pub rx_max: u32,
    /// Of a transmit ring.
    pub tx: u32,
    /// Of a transmit ring, at most.
    pub tx_max: u32,
}

/// How long the card waits before it interrupts for what it received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coalescing {
    /// Microseconds after a frame; 0 for at once.
    pub rx_microseconds: u32,
    /// Frames after which it waits no more; 0 where that is no limit.
    pub rx_frames: u32,
    /// Whether the driver changes both by itself.
    pub adaptive: bool,
}

/// The name of the hash that nearly every card uses.
pub const TOEPLITZ: &str = "Toeplitz";

/// Receive side scaling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rss {
    /// The hash function.
    pub hash: &'static str,
    /// Bytes of its key.
    pub key: Vec<u8>,
    /// The queue of each remainder of the hash.
    pub indirection: Vec<u32>,
    /// Whether addresses and ports of TCP go into the hash as they are.
    pub hashes_ports: bool,
}

impl Settings {
    /// Asks the driver of an interface.
    #[must_use]
    pub fn of(interface: &Interface) -> Self {
        let query = Query::new(interface.name());
        let query = query.as_ref();
        let flags = query.map_or(0, |query| value(query, ETHTOOL_GFLAGS));
        let gro = query.map_or(0, |query| value(query, ETHTOOL_GGRO)) != 0;
        Self {
            rings: query.and_then(rings),
            coalescing: query.and_then(coalescing),
            rss: query.and_then(rss),
            merges: gro || flags & FLAG_LRO != 0,
            strips_vlan: flags & FLAG_RXVLAN != 0,
        }
    }
}

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// `struct ethtool_ringparam`.
#[repr(C)]
#[derive(Default)]
struct RingParameters {
    command: u32,
    rx_max: u32,
    rx_mini_max: u32,
    rx_jumbo_max: u32,
    tx_max: u32,
    rx: u32,
    rx_mini: u32,
    rx_jumbo: u32,
    tx: u32,
}

/// `struct ethtool_coalesce`.
#[repr(C)]
#[derive(Default)]
struct CoalescingParameters {
    command: u32,
    rx_microseconds: u32,
    rx_frames: u32,
    others: [u32; 7],
    adaptive: u32,
    rest: [u32; 12],
}

/// `struct ethtool_rxfh`, with room for what follows it.
#[repr(C)]
struct RssParameters {
    command: u32,
    context: u32,
    indirection_words: u32,
    key_bytes: u32,
    hash: u8,
    transform: u8,
    reserved: [u8; 2],
    reserved_word: u32,
    config: [u32; RSS_WORDS],
}

/// The begin of `struct ethtool_rxnfc`, which is all that this command has.
#[repr(C)]
struct FlowHash {
    command: u32,
    flow: u32,
    fields: u64,
}

fn value(query: &Query, command: u32) -> u32 {
    let mut value = Value { command, data: 0 };
    query.ethtool(&mut value).map_or(0, |()| value.data)
}

fn rings(query: &Query) -> Option<RingSizes> {
    let mut found = RingParameters {
        command: ETHTOOL_GRINGPARAM,
        ..RingParameters::default()
    };
    query.ethtool(&mut found)?;
    let RingParameters {
        rx,
        rx_max,
        tx,
        tx_max,
        ..
    } = found;
    Some(RingSizes {
        rx,
        rx_max,
        tx,
        tx_max,
    })
}

fn coalescing(query: &Query) -> Option<Coalescing> {
    let mut found = CoalescingParameters {
        command: ETHTOOL_GCOALESCE,
        ..CoalescingParameters::default()
    };
    query.ethtool(&mut found)?;
    Some(Coalescing {
        rx_microseconds: found.rx_microseconds,
        rx_frames: found.rx_frames,
        adaptive: found.adaptive != 0,
    })
}

/// Whether all four of addresses and ports of TCP over IPv4 are hashed.
fn hashes_ports(query: &Query) -> bool {
    let mut found = FlowHash {
        command: ETHTOOL_GRXFH,
        flow: TCP_V4_FLOW,
        fields: 0,
    };
    query.ethtool(&mut found).is_some() && found.fields == FOUR_FIELDS
}

/// Asked twice: the kernel wants to be told the very sizes that it tells first.
fn rss(query: &Query) -> Option<Rss> {
    let mut found = RssParameters {
        command: ETHTOOL_GRSSH,
        context: 0,
        indirection_words: 0,
        key_bytes: 0,
        hash: 0,
        transform: 0,
        reserved: [0; 2],
        reserved_word: 0,
        config: [0; RSS_WORDS],
    };
    query.ethtool(&mut found)?;
    let words = found.indirection_words as usize;
    let key_words = (found.key_bytes as usize).div_ceil(size_of::<u32>());
    // It refuses other sizes than these, and so writes no more.
    if words + key_words > RSS_WORDS {
        return None;
    }
    query.ethtool(&mut found)?;
    let (indirection, key) = found.config.split_at(words);
    let key = key[..key_words].iter().flat_map(|word| word.to_ne_bytes());
    Some(Rss {
        hashes_ports: found.transform == 0 && hashes_ports(query),
        hash: match found.hash {
            1 => TOEPLITZ,
            2 => "XOR",
            4 => "CRC32",
            _ => "an unknown hash",
        },
        key: key.take(found.key_bytes as usize).collect(),
        indirection: indirection.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_have_the_kernel_s_sizes() {
        assert_eq!(size_of::<Value>(), 8);
        assert_eq!(size_of::<RingParameters>(), 36);
        assert_eq!(size_of::<CoalescingParameters>(), 92);
        assert_eq!(size_of::<RssParameters>(), 24 + 4 * RSS_WORDS);
        assert_eq!(size_of::<FlowHash>(), 16);
    }

    #[test]
    fn loopback_has_no_rings_to_tell_of() {
        let loopback = Settings::of(&Interface::find("lo").unwrap());
        assert_eq!((loopback.rings, loopback.coalescing), (None, None));
        assert_eq!(loopback.rss, None);
    }
}
