//! `wirepath check`: what an interface, its driver, the kernel and our rights allow.

mod nic;

use std::fmt::Write as _;

use wirepath_bpf::{SteerError, Steering};
use wirepath_xdp::{Interface, OpenError, Options, Settings, XdpDevice};

use super::Failure;
use super::servers::print;
use crate::runtime::{self, HostFacts};

/// What `check` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The interface to look at. Nothing is changed on it.
    interface: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    /// As it should be.
    Good,
    /// It works, but not as well as it could.
    Note,
    /// wirepath will not start.
    Bad,
}

/// One line of the answer.
struct Finding {
    grade: Grade,
    what: &'static str,
    text: String,
}

/// Prints the findings; an error when one of them keeps wirepath from starting.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let interface = Interface::find(&args.interface).map_err(runtime::StartError::from)?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let host = tokio.block_on(runtime::look(&interface))?;
    let settings = Settings::of(&interface);
    let mut findings = vec![
        kernel(),
        rights(&interface),
        driver(&interface),
        program(&host),
        mtu(&interface),
        addresses(&host),
        link(&host),
        queues(&interface),
        nic::offloads(&interface, &settings),
    ];
    findings.extend(nic::findings(&interface, &settings));
    let mut text = String::new();
    for Finding {
        grade,
        what,
        text: line,
    } in &findings
    {
        let mark = match grade {
            Grade::Good => "ok  ",
            Grade::Note => "note",
            Grade::Bad => "BAD ",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mark} {what:<10} {line}");
    }
    print(&text)?;
    let bad = findings
        .iter()
        .filter(|finding| finding.grade == Grade::Bad)
        .count();
    if bad > 0 {
        let name = interface.name();
        return Err(anyhow::anyhow!("{name} will not work: {bad} BAD above say why").into());
    }
    Ok(())
}

const fn good(what: &'static str, text: String) -> Finding {
    Finding {
        grade: Grade::Good,
        what,
        text,
    }
}

const fn note(what: &'static str, text: String) -> Finding {
    Finding {
        grade: Grade::Note,
        what,
        text,
    }
}

const fn bad(what: &'static str, text: String) -> Finding {
    Finding {
        grade: Grade::Bad,
        what,
        text,
    }
}

fn kernel() -> Finding {
    let name = rustix::system::uname();
    good(
        "kernel",
        format!("Linux {}", name.release().to_string_lossy()),
    )
}

/// Tried for real: the program is loaded, a socket opened, and both go again.
fn rights(interface: &Interface) -> Finding {
    match Steering::load() {
        Ok(_) => match XdpDevice::may_open(interface) {
            Ok(()) => good(
                "rights",
                "the XDP program loads, AF_XDP sockets open".to_owned(),
            ),
            Err(error @ OpenError::NoPrivilege { .. }) => bad("rights", error.to_string()),
            Err(error) => bad("kernel", error.to_string()),
        },
        Err(error @ SteerError::NoPrivilege { .. }) => bad("rights", error.to_string()),
        Err(error) => bad("kernel", error.to_string()),
    }
}

fn driver(interface: &Interface) -> Finding {
    /// Drivers whose AF_XDP users report zero-copy to work (docs/performance.md).
    const ZERO_COPY: [&str; 6] = ["i40e", "ice", "ixgbe", "mlx5_core", "igc", "bnxt_en"];
    match interface.driver() {
        "veth" => note(
            "driver",
            "veth: native mode, copies; figures say nothing of a NIC".into(),
        ),
        driver if ZERO_COPY.contains(&driver) => good(
            "driver",
            format!("{driver}: native mode, zero-copy where its queues allow"),
        ),
        driver => note(
            "driver",
            format!("{driver}: not known to have zero-copy; native or skb mode is tried at start"),
        ),
    }
}

fn program(host: &HostFacts) -> Finding {
    match host.xdp_program {
        None => good("program", "no XDP program is attached".to_owned()),
        Some(id) => bad(
            "program",
            format!(
                "XDP program {id} is attached; stop the server it belongs to, or see `bpftool net`"
            ),
        ),
    }
}

fn mtu(interface: &Interface) -> Finding {
    let (mtu, name, options) = (interface.mtu(), interface.name(), Options::default());
    let (limit, largest) = (options.largest_mtu_of_one_slot(), options.largest_mtu());
    if mtu <= limit {
        return good("mtu", format!("{mtu}, a frame of memory holds {limit}"));
    }
    if mtu > largest {
        let text = format!("{mtu}, at most {largest}; `ip link set dev {name} mtu {largest}`");
        return bad("mtu", text);
    }
    if !has_multi_buffer(&rustix::system::uname().release().to_string_lossy()) {
        let text = format!(
            "{mtu}, but before Linux 6.6 packets above {limit} are dropped, and peers are told so; \
             `ip link set dev {name} mtu {limit}` would tell the kernel as well"
        );
        return note("mtu", text);
    }
    good(
        "mtu",
        format!("{mtu}, in several frames of memory that hold {limit} each"),
    )
}

/// Whether a kernel of this release has XDP_USE_SG.
fn has_multi_buffer(release: &str) -> bool {
    let mut numbers = release
        .split(['.', '-', '+'])
        .map_while(|part| part.parse().ok());
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (6, 6)
}

fn addresses(host: &HostFacts) -> Finding {
    if host.addresses.is_empty() {
        let text = "none; add one, or serve one of your own with --address";
        return note("addresses", text.to_owned());
    }
    let list: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
    good("addresses", list.join(" "))
}

fn link(host: &HostFacts) -> Finding {
    match host.mac {
        Some(mac) if host.up => good("link", format!("up, {mac}")),
        Some(mac) => note("link", format!("down, {mac}; frames flow once it is up")),
        None => bad(
            "link",
            "no Ethernet address; only Ethernet is supported".to_owned(),
        ),
    }
}

fn queues(interface: &Interface) -> Finding {
    let (queues, name) = (interface.queues(), interface.name());
    if queues == 1 {
        return good("queues", "1".to_owned());
    }
    note(
        "queues",
        format!("{queues}; so many workers at most share them, `ethtool -L {name}` changes it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multi_buffer_came_with_linux_6_6() {
        for release in ["6.6.0", "6.18.44-fc", "7.0-rc1", "6.10+"] {
            assert!(has_multi_buffer(release), "{release}");
        }
        for release in ["6.1.0-18-amd64", "5.15.0", "6", "unknown"] {
            assert!(!has_multi_buffer(release), "{release}");
        }
    }
}
