//! Queues of an interface with the stack's own XDP program, for who needs no more.

use std::net::IpAddr;
use std::os::fd::AsFd as _;

use anyhow::Context as _;
use wirepath_bpf::{AddressKind, Attachment, Mode, Steering};
use wirepath_xdp::{Interface, Options, XdpDevice};

/// What keeps frames coming to queues. It must outlive the devices that it was opened with.
pub(crate) struct Hold {
    attachment: Attachment,
    _steering: Steering,
}

impl Hold {
    /// Where the XDP program runs.
    pub(crate) fn mode(&self) -> &'static str {
        match self.attachment.mode() {
            Mode::Native => "native",
            Mode::Skb => "skb",
        }
    }
}

/// Takes queues of an interface of the calling thread's network namespace, and all that is sent to
/// `addresses`, which the kernel must not have.
///
/// # Errors
/// Not root, or the interface or a queue is in use.
pub(crate) fn open(
    interface: &str,
    queues: &[u32],
    addresses: &[IpAddr],
) -> anyhow::Result<(Vec<XdpDevice>, Hold)> {
    let found = Interface::find(interface)?;
    let steering = Steering::load()?;
    let attachment = steering.attach(interface, None)?;
    let mut devices = Vec::new();
    for &queue in queues {
        let device = XdpDevice::open(&found, queue, &Options::default())?;
        steering.set_socket(queue, device.as_fd())?;
        devices.push(device);
    }
    for &address in addresses {
        steering.set_address(address, AddressKind::Owned)?;
    }
    let hold = Hold {
        attachment,
        _steering: steering,
    };
    Ok((devices, hold))
}

/// Takes one queue.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_one(
    interface: &str,
    queue: u32,
    addresses: &[IpAddr],
) -> anyhow::Result<(XdpDevice, Hold)> {
    let (mut devices, hold) = open(interface, &[queue], addresses)?;
    let device = devices.pop().context("one queue was asked for")?;
    Ok((device, hold))
}
