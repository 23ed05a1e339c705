//! What the settings of a network card are, what would help, and the command for it.

use std::collections::BTreeSet;
use std::fs;

use wirepath_xdp::{Coalescing, Interface, RingSizes, Rss, Settings};

use super::{Finding, good, note};

/// What is known of the card. A driver that tells nothing gets no line.
pub(super) fn findings(interface: &Interface, settings: &Settings) -> Vec<Finding> {
    let name = interface.name();
    let told = [
        settings.rings.map(|rings| ring_sizes(name, rings)),
        settings.coalescing.map(|found| coalescing(name, found)),
        settings.rss.as_ref().map(rss),
        Some(vlan(interface, settings)),
        interrupts(interface),
        napi(interface),
    ];
    told.into_iter().flatten().collect()
}

/// What must be off.
pub(super) fn offloads(interface: &Interface, settings: &Settings) -> Finding {
    if interface.driver() == "veth" {
        let text = "the peer of a veth pair must complete its checksums: on its end run \
                    `ethtool -K IFACE tx off`, or start with --rx-checksum partial-ok";
        return note("offloads", text.to_owned());
    }
    if !settings.merges {
        return good("offloads", "no receive merging".to_owned());
    }
    let name = interface.name();
    note(
        "offloads",
        format!("receive merging must be off: `ethtool -K {name} gro off lro off`"),
    )
}

fn ring_sizes(name: &str, rings: RingSizes) -> Finding {
    let RingSizes {
        rx,
        rx_max,
        tx,
        tx_max,
    } = rings;
    let text = format!("receive {rx} of {rx_max}, transmit {tx} of {tx_max}");
    if rx == rx_max {
        return good("rings", text);
    }
    let text = format!("{text}; bursts need larger ones: `ethtool -G {name} rx {rx_max}`");
    note("rings", text)
}

fn coalescing(name: &str, found: Coalescing) -> Finding {
    let Coalescing {
        rx_microseconds,
        rx_frames,
        adaptive,
    } = found;
    if !adaptive && rx_microseconds == 0 {
        return good("coalescing", "none: an interrupt at once".to_owned());
    }
    let adaptive = if adaptive { ", adaptive" } else { "" };
    note(
        "coalescing",
        format!(
            "{rx_microseconds} us, {rx_frames} frames{adaptive}; for the least latency \
             `ethtool -C {name} adaptive-rx off rx-usecs 0`"
        ),
    )
}

fn rss(found: &Rss) -> Finding {
    let (hash, entries, key) = (found.hash, found.indirection.len(), found.key.len());
    let queues: BTreeSet<u32> = found.indirection.iter().copied().collect();
    let queues: Vec<String> = queues.iter().map(u32::to_string).collect();
    let queues = queues.join(",");
    good(
        "rss",
        format!("{hash}, a key of {key} bytes, {entries} entries to queues {queues}"),
    )
}

fn vlan(interface: &Interface, settings: &Settings) -> Finding {
    let name = interface.name();
    if interface.driver() == "veth" {
        let text = "for VLANs run `ethtool -K IFACE txvlan off` on the other end of the pair";
        return note("vlan", text.to_owned());
    }
    if settings.strips_vlan {
        let text = format!("tags are stripped; for VLANs `ethtool -K {name} rxvlan off`");
        return note("vlan", text);
    }
    good("vlan", "tags stay in the frame".to_owned())
}

/// Which cores the interrupts of the card go to.
fn interrupts(interface: &Interface) -> Option<Finding> {
    let folder = fs::read_dir(path(interface, "device/msi_irqs")?).ok()?;
    let mut numbers: Vec<u32> = folder
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let cores = |number: &u32| {
        let cores = fs::read_to_string(format!("/proc/irq/{number}/smp_affinity_list")).ok()?;
        Some(format!("{number} to {}", cores.trim()))
    };
    let list: Vec<String> = numbers.iter().filter_map(cores).collect();
    let text = format!(
        "to cores: {}; those of a queue should go where its worker runs (--cores): \
         `echo CORE > /proc/irq/NUMBER/smp_affinity_list`",
        list.join(", ")
    );
    (!list.is_empty()).then(|| note("interrupts", text))
}

fn napi(interface: &Interface) -> Option<Finding> {
    let number = |file| -> Option<u64> {
        let text = fs::read_to_string(path(interface, file)?).ok()?;
        text.trim().parse().ok()
    };
    let deferred = number("napi_defer_hard_irqs")?;
    let timeout = number("gro_flush_timeout")?;
    let name = interface.name();
    let is_deferred = deferred > 0 && timeout > 0;
    Some(match (interface.driver(), is_deferred) {
        ("veth", true) => note(
            "napi",
            format!(
                "deferred for {timeout} ns, which a veth pays with latency; \
                 `echo 0 > /sys/class/net/{name}/napi_defer_hard_irqs`"
            ),
        ),
        ("veth", false) => good("napi", "not deferred".to_owned()),
        (_, true) => note(
            "napi",
            format!("{deferred} interrupts deferred, {timeout} ns each: start with --busy-poll on"),
        ),
        (_, false) => note(
            "napi",
            format!(
                "interrupts not deferred; for --busy-poll on: \
                 `cd /sys/class/net/{name}; echo 2 > napi_defer_hard_irqs; \
                 echo 200000 > gro_flush_timeout`"
            ),
        ),
    })
}

/// A file of the interface in /sys, unless that is of another network namespace.
fn path(interface: &Interface, file: &str) -> Option<String> {
    let folder = format!("/sys/class/net/{}", interface.name());
    let index = fs::read_to_string(format!("{folder}/ifindex")).ok()?;
    let same = index.trim().parse() == Ok(interface.index());
    same.then(|| format!("{folder}/{file}"))
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn rings_that_could_be_larger_come_with_the_command() {
        let mut rings = RingSizes {
            rx: 512,
            rx_max: 4096,
            tx: 512,
            tx_max: 4096,
        };
        let finding = ring_sizes("eth7", rings);
        assert_eq!(finding.grade, Grade::Note);
        assert!(finding.text.ends_with("`ethtool -G eth7 rx 4096`"));
        rings.rx = 4096;
        assert_eq!(ring_sizes("eth7", rings).grade, Grade::Good);
    }

    #[test]
    fn interrupts_that_wait_come_with_the_command() {
        let mut found = Coalescing {
            rx_microseconds: 50,
            rx_frames: 0,
            adaptive: true,
        };
        let finding = coalescing("eth7", found);
        assert!(finding.text.starts_with("50 us, 0 frames, adaptive;"));
        assert!(finding.text.contains("ethtool -C eth7"));
        found.adaptive = false;
        found.rx_microseconds = 0;
        assert_eq!(coalescing("eth7", found).grade, Grade::Good);
    }

    #[test]
    fn the_queues_that_rss_uses_are_named_once() {
        let found = Rss {
            hash: "Toeplitz",
            key: vec![7; 40],
            indirection: [0, 1, 2, 3].repeat(32),
            hashes_ports: true,
        };
        let text = "Toeplitz, a key of 40 bytes, 128 entries to queues 0,1,2,3";
        assert_eq!(rss(&found).text, text);
    }
}
