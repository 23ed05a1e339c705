//! `wirepath check`: what it finds, and how it ends. Needs root.

mod support;

use support::server::WIREPATH;
use wirepath::netns::{Link, Network};

/// What it prints of the server's interface, and its exit code.
fn check(network: &Network) -> (String, Option<i32>) {
    let mut command = network.server.command(WIREPATH);
    command.args(["check", Network::SERVER_INTERFACE]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    println!("{text}");
    (text, output.status.code())
}

fn network(label: &str, mtu: u32) -> Network {
    let link = Link {
        mtu,
        ..Link::default()
    };
    Network::direct(label, &link).unwrap()
}

fn assert_line(report: &str, grade: &str, what: &str, words: &str) {
    let mut lines = report.lines();
    let line = lines.find(|line| line.split_whitespace().nth(1) == Some(what));
    let line = line.unwrap_or_else(|| panic!("nothing of {what} in\n{report}"));
    assert!(line.starts_with(grade) && line.contains(words), "{line}");
}

#[test]
fn it_tells_how_packets_of_each_mtu_are_held() {
    for (mtu, words) in [
        (1500, "a frame of memory holds 3822"),
        (9000, "several frames"),
    ] {
        let (report, code) = check(&network("check", mtu));
        assert_eq!(code, Some(0));
        assert_line(&report, "ok", "mtu", words);
    }
    let (report, code) = check(&network("check-large", 30_000));
    assert_eq!(code, Some(1));
    assert_line(&report, "BAD", "mtu", "ip link set dev server0 mtu 23022");
}

#[test]
fn it_tells_what_keeps_a_veth_from_its_best() {
    let network = network("check-veth", 1500);
    let (report, _) = check(&network);
    assert_line(&report, "note", "offloads", "ethtool -K IFACE tx off");
    assert_line(&report, "note", "vlan", "ethtool -K IFACE txvlan off");
    assert_line(&report, "ok", "napi", "not deferred");
    let folder = "/sys/class/net/server0";
    let defer =
        format!("echo 2 > {folder}/napi_defer_hard_irqs; echo 200000 > {folder}/gro_flush_timeout");
    network.server.tool("sh", &["-c", &defer]).unwrap();
    let (report, _) = check(&network);
    assert_line(&report, "note", "napi", "napi_defer_hard_irqs");
}

#[test]
fn it_tells_which_right_is_missing() {
    let network = network("check-rights", 1500);
    let mut command = network.server.command("setpriv");
    command.args(["--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]);
    command.args([WIREPATH, "check", Network::SERVER_INTERFACE]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8(output.stdout).unwrap();
    assert_line(&report, "BAD", "rights", "CAP_NET_RAW");
}

#[test]
fn loopback_will_not_do() {
    let network = network("check-lo", 1500);
    let mut command = network.server.command(WIREPATH);
    let output = command.args(["check", "lo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8(output.stdout).unwrap();
    assert_line(&report, "BAD", "link", "only Ethernet");
}
