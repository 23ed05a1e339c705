//! A client in a VLAN: its frames come with an 802.1Q tag, which replies keep. Needs root.

mod support;

use support::client::{self, ADDRESSES, OWNED_V4, OWNED_V6, SHARED_V4, SHARED_V6};
use support::server::Server;
use support::vlan::Vlan;
use wirepath::netns::{Link, Network};

fn echoes_in_a_vlan(label: &str, mtu: u32, mode: &str) {
    const EACH: u64 = 16 << 20;
    let link = Link {
        mtu,
        ..Link::default()
    };
    let network = Network::through_middle(label, &link).unwrap();
    let vlan = Vlan::new(&network);
    // The server's kernel knows no VLAN and answers nobody in it; our server answers for its own.
    for address in [SHARED_V4, SHARED_V6] {
        let neighbor = format!("neigh add {address} lladdr 02:77:00:00:00:02 dev client0");
        let neighbor: Vec<&str> = neighbor.split(' ').collect();
        network.client.ip(&neighbor).unwrap();
    }
    let addresses = client::all_addresses();
    let mut arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
    arguments.extend(["--mode", mode]);
    let server = Server::start(&network, "echo", &arguments);
    for address in ADDRESSES {
        let stream = client::connect(&network.client, (address, 7));
        client::echo(&stream, EACH, 7);
    }
    for address in [OWNED_V4, OWNED_V6] {
        let ping = ["-q", "-c", "3", "-i", "0.01", &address.to_string()];
        let report = network.client.tool("ping", &ping).unwrap();
        assert!(report.contains(" 0% packet loss"), "{report}");
    }
    let (tagged, least) = (vlan.tagged(), 4 * EACH / u64::from(mtu));
    assert!(tagged >= least, "{tagged} of {least} frames have the tag");
    let stats = server.stop();
    assert!(stats.counters["arp_replies"] > 0, "{stats:#?}");
    assert!(stats.counters["neighbor_advertisements"] > 0, "{stats:#?}");
    assert_eq!(stats.drops.get("too_long"), None, "{stats:#?}");
}

#[test]
fn a_client_in_a_vlan_gets_its_bytes_back_at_1500() {
    echoes_in_a_vlan("vlan", 1500, "native");
}

#[test]
fn a_client_in_a_vlan_gets_its_bytes_back_at_9000() {
    echoes_in_a_vlan("vlan-jumbo", 9000, "native");
}

#[test]
fn a_client_in_a_vlan_gets_its_bytes_back_in_skb_mode() {
    echoes_in_a_vlan("vlan-skb", 1500, "skb");
}
