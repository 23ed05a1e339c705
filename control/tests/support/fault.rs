//! Loss and duplication in a middle namespace, by a tc-bpf program on the bridge's ports.

use libbpf_rs::{MapCore as _, MapFlags, Object};
use wirepath::netns::{Namespace, Network};

use super::tc;

/// How often what happens to a frame, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rates {
    /// The frame is lost.
    pub(crate) drop: u32,
    /// The frame arrives twice.
    pub(crate) duplicate: u32,
    /// How many queues frames are spread over, each at random, whatever their flow; 0 leaves each
    /// flow on one. No rate, but it changes in the same way.
    pub(crate) queues: u32,
}

/// What has happened so far, in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) seen: u64,
    pub(crate) dropped: u64,
    pub(crate) duplicated: u64,
}

/// The faults of one direction. They go with the namespace of the interface.
pub(crate) struct Fault {
    object: Object,
    duplicate_to: u32,
}

impl Fault {
    /// Faults for what comes in on `interface`; a duplicate leaves by `duplicate_to`.
    pub(crate) fn new(
        namespace: &Namespace,
        interface: &str,
        duplicate_to: &str,
        rates: Rates,
    ) -> Self {
        let index = |name| {
            namespace
                .interface_index(name)
                .expect("the interface exists")
        };
        let fault = Self {
            object: tc::load("fault.bpf.c"),
            duplicate_to: index(duplicate_to),
        };
        fault.set(rates);
        tc::attach(&fault.object, "fault", (namespace, interface));
        fault
    }

    /// The same faults for both directions of a network with a middle: client to server first.
    pub(crate) fn both_ways(network: &Network, rates: Rates) -> [Self; 2] {
        let middle = network.middle.as_ref().expect("the network has a middle");
        let [client, server] = Network::MIDDLE_INTERFACES;
        [
            Self::new(middle, client, server, rates),
            Self::new(middle, server, client, rates),
        ]
    }

    /// Changes the rates from the next frame on.
    pub(crate) fn set(&self, rates: Rates) {
        let words = [rates.drop, rates.duplicate, self.duplicate_to, rates.queues];
        let value: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let map = self
            .object
            .maps()
            .find(|map| map.name() == "rates")
            .expect("the map exists");
        map.update(&0_u32.to_ne_bytes(), &value, MapFlags::ANY)
            .expect("the rates are set");
    }

    /// What has happened so far.
    pub(crate) fn counts(&self) -> Counts {
        let map = self
            .object
            .maps()
            .find(|map| map.name() == "counts")
            .expect("the map exists");
        let value = map
            .lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)
            .expect("the counts are read");
        let value = value.expect("an array has all its entries");
        let word = |at: usize| u64::from_ne_bytes(value[at * 8..][..8].try_into().unwrap());
        Counts {
            seen: word(0),
            dropped: word(1),
            duplicated: word(2),
        }
    }
}
