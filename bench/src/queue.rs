//! One queue of an interface, with the stack's own XDP program, for who needs no more.

use std::net::IpAddr;
use std::os::fd::AsFd as _;

use wirepath_bpf::{AddressKind, Attachment, Mode, Steering};
use wirepath_xdp::{Interface, Options, XdpDevice};

/// What keeps frames coming to a queue. It must outlive the device that it was opened with.
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

/// Takes a queue of an interface of the calling thread's network namespace, and all that is sent
/// to `addresses`, which the kernel must not have.
///
/// # Errors
/// Not root, or the interface or its queue is in use.
pub(crate) fn open(
    interface: &str,
    queue: u32,
    addresses: &[IpAddr],
) -> anyhow::Result<(XdpDevice, Hold)> {
    let found = Interface::find(interface)?;
    let steering = Steering::load()?;
    let attachment = steering.attach(interface, None)?;
    let device = XdpDevice::open(&found, queue, &Options::default())?;
    steering.set_socket(queue, device.as_fd())?;
    for &address in addresses {
        steering.set_address(address, AddressKind::Owned)?;
    }
    let hold = Hold {
        attachment,
        _steering: steering,
    };
    Ok((device, hold))
}
