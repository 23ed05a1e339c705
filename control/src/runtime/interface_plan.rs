//! An interface that is to be served: what it is like, and what is taken of it.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use wirepath_bpf::{AddressKind, Attachment, Mode, SteerError, Steering};
use wirepath_stack::link::{InterfaceId, LocalAddress};
use wirepath_wire::ethernet::MacAddr;
use wirepath_wire::ip;
use wirepath_xdp::{self as xdp, Interface, OpenError, Options, Settings, XdpDevice, ZeroCopy};

use super::place::{Place, Queue};
use super::worker::WorkerDevice;
use super::{InterfaceOptions, StartError, host};

/// An interface that is to be served: what it is like, and what of it is meant.
pub(super) struct InterfacePlan {
    pub(super) id: InterfaceId,
    pub(super) interface: Interface,
    pub(super) mac: MacAddr,
    pub(super) addresses: Vec<LocalAddress>,
    /// Those that the kernel has on it.
    pub(super) kernel: Vec<IpAddr>,
    /// The kernel's number of the XDP program that is there.
    program: Option<u32>,
    pub(super) queues: Vec<u32>,
}

/// What a server has of an interface while it runs.
pub(super) struct OpenInterface {
    pub(super) place: Place,
    pub(super) attachment: Attachment,
    pub(super) devices: Vec<WorkerDevice>,
    /// How its card deals frames out.
    pub(super) rss: Option<xdp::Rss>,
}

impl InterfacePlan {
    /// Looks at an interface. Nothing is changed.
    pub(super) async fn survey(
        id: InterfaceId,
        options: &InterfaceOptions,
    ) -> Result<Self, StartError> {
        let interface = Interface::find(&options.name)?;
        let host = host::look(&interface).await?;
        let not_ethernet = || StartError::NotEthernet(options.name.clone());
        Ok(Self {
            id,
            mac: host.mac.ok_or_else(not_ethernet)?,
            addresses: choose_addresses(id, options, &host.addresses)?,
            queues: choose_queues(options, &interface)?,
            interface,
            kernel: host.addresses,
            program: host.xdp_program,
        })
    }

    /// Says early that an interface has a program, as of another server.
    pub(super) fn check_free(&self) -> Result<(), StartError> {
        match self.program {
            None => Ok(()),
            program => Err(SteerError::AlreadyAttached {
                interface: self.name(),
                program,
            })?,
        }
    }

    pub(super) fn name(&self) -> String {
        self.interface.name().to_owned()
    }

    /// An address that is to be served on this interface and is another's.
    pub(super) fn addresses_of(&self, other: &Self) -> Option<IpAddr> {
        let theirs = other.addresses.iter().map(|local| local.address);
        let theirs: Vec<IpAddr> = theirs.chain(other.kernel.iter().copied()).collect();
        let mut ours = self.addresses.iter().map(|local| local.address);
        ours.find(|it| !ip::is_link_local(*it) && theirs.contains(it))
    }

    /// Takes it: its XDP program, and a device for each queue. Dropping what comes gives it back.
    pub(super) fn take(
        &self,
        mode: Option<Mode>,
        options: &Options,
    ) -> Result<OpenInterface, StartError> {
        let steering = Steering::load()?;
        let attachment = steering.attach(self.interface.name(), mode)?;
        let options = (options, attachment.mode());
        let mut devices = Vec::with_capacity(self.queues.len());
        for &queue in &self.queues {
            devices.push(open_device(&self.interface, queue, options)?);
        }
        for device in &devices {
            steering.set_socket(device.queue(), device.as_fd())?;
        }
        for local in &self.addresses {
            steering.set_address(local.address, kind(local))?;
        }
        let name: Arc<str> = self.interface.name().into();
        let devices = devices.into_iter();
        Ok(OpenInterface {
            devices: devices.map(|device| self.seated(&name, device)).collect(),
            place: Place {
                index: self.interface.index(),
                interface: name,
                mode: attachment.mode(),
                steering,
            },
            attachment,
            rss: Settings::of(&self.interface).rss,
        })
    }

    /// A device with what its worker must know of it.
    fn seated(&self, name: &Arc<str>, device: XdpDevice) -> WorkerDevice {
        WorkerDevice {
            queue: Queue {
                interface: Arc::clone(name),
                number: device.queue(),
            },
            interface: self.id,
            mac: self.mac,
            device,
        }
    }
}

/// All addresses of the interface, or those asked for; what the kernel does not have is owned.
fn choose_addresses(
    interface: InterfaceId,
    options: &InterfaceOptions,
    kernel: &[IpAddr],
) -> Result<Vec<LocalAddress>, StartError> {
    let asked = if options.addresses.is_empty() {
        kernel
    } else {
        &options.addresses
    };
    if asked.is_empty() {
        let key = match interface {
            InterfaceId(0) => "--address",
            _ => "addresses of [back]",
        };
        return Err(StartError::NoAddress {
            interface: options.name.clone(),
            key,
        });
    }
    let serves = |address: &&IpAddr| ip::is_unicast(**address);
    if let Some(&address) = asked.iter().find(|address| !serves(address)) {
        return Err(StartError::BadAddress(address));
    }
    let local = |&address| LocalAddress {
        address,
        interface,
        owned: !kernel.contains(&address),
    };
    let mut addresses: Vec<LocalAddress> = Vec::with_capacity(asked.len());
    for address in asked.iter().map(local) {
        // Said twice, it is still one.
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// The queues asked for, or all.
fn choose_queues(
    options: &InterfaceOptions,
    interface: &Interface,
) -> Result<Vec<u32>, StartError> {
    let all = 0..interface.queues();
    if options.queues.is_empty() {
        return Ok(all.collect());
    }
    let mut queues = options.queues.clone();
    queues.sort_unstable();
    queues.dedup();
    match queues.iter().find(|queue| !all.contains(queue)) {
        None => Ok(queues),
        Some(&queue) => Err(StartError::Device(OpenError::NoSuchQueue {
            interface: interface.name().to_owned(),
            queue,
            queues: interface.queues(),
        })),
    }
}

const fn kind(local: &LocalAddress) -> AddressKind {
    if local.owned {
        AddressKind::Owned
    } else {
        AddressKind::Shared
    }
}

fn open_device(
    interface: &Interface,
    queue: u32,
    (options, mode): (&Options, Mode),
) -> Result<XdpDevice, StartError> {
    // The generic hook has only copies to give.
    let zero_copy = if mode == Mode::Skb && options.zero_copy == ZeroCopy::Auto {
        ZeroCopy::Off
    } else {
        options.zero_copy
    };
    let options = Options {
        zero_copy,
        ..*options
    };
    Ok(XdpDevice::open(interface, queue, &options)?)
}
