//! A middle that is a switch with the client at an access port of VLAN 7 and the server at a trunk.

use libbpf_rs::{MapCore as _, MapFlags, Object};
use wirepath::netns::Network;

use super::tc;

/// The switch. It goes with the middle namespace.
pub(crate) struct Vlan(Object);

impl Vlan {
    /// Makes a switch of the middle.
    pub(crate) fn new(network: &Network) -> Self {
        let middle = network.middle.as_ref().expect("the network has a middle");
        let [client, server] = Network::MIDDLE_INTERFACES;
        // A veth would carry the tag beside the frame, where XDP does not see it.
        let in_the_frame = ["-K", server, "txvlan", "off"];
        middle.tool("ethtool", &in_the_frame).unwrap();
        let object = tc::load("vlan.bpf.c");
        tc::attach(&object, "access", (middle, client));
        tc::attach(&object, "trunk", (middle, server));
        Self(object)
    }

    /// Frames that came from the server with the tag, all others being lost.
    pub(crate) fn tagged(&self) -> u64 {
        let mut maps = self.0.maps();
        let map = maps.find(|map| map.name() == "counts");
        let map = map.expect("the map exists");
        let value = map.lookup(&0_u32.to_ne_bytes(), MapFlags::ANY);
        let value = value.expect("the counts are read");
        let value = value.expect("an array has all its entries");
        u64::from_ne_bytes(value[..8].try_into().unwrap())
    }
}
