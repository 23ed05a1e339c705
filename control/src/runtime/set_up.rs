//! From options to a running server, step by step. Each step is undone by dropping what it made.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;

use wirepath_apps::{Service, Services};
use wirepath_bpf::{AddressKind, Mode, Steering};
use wirepath_stack::limits::SOURCE_PORTS;
use wirepath_stack::link::LocalAddress;
use wirepath_stack::listeners::ListenerId;
use wirepath_stack::worker::WorkerConfig;
use wirepath_tcp::config::Config;
use wirepath_tcp::isn::Secret;
use wirepath_wire::ip;
use wirepath_wire::tuple::Endpoint;
use wirepath_xdp::{Interface, Options, XdpDevice, ZeroCopy};

use super::mailbox::Served;
use super::reservation::Reservation;
use super::worker;
use super::{Runtime, ServerOptions, StartError, host};

/// Hop limit of what we send, as Linux has it.
const HOP_LIMIT: u8 = 64;

pub(super) async fn start(options: ServerOptions) -> Result<Runtime, StartError> {
    let core = check_cores(&options.cores)?;
    let interface = Interface::find(&options.interface)?;
    let host = host::look(&interface).await?;
    let mac = host
        .mac
        .ok_or_else(|| StartError::NotEthernet(interface.name().to_owned()))?;
    let addresses = choose_addresses(&options, &host.addresses)?;
    let endpoints = endpoints(&options, &addresses);
    // Before the XDP program, whose driver would complain less clearly.
    XdpDevice::check(&interface, 0, &options.device)?;
    let reservations = reserve(&addresses, &endpoints)?;

    let steering = Steering::load()?;
    let attachment = steering.attach(interface.name(), options.mode)?;
    let devices = open_devices(&interface, &options.device, attachment.mode())?;
    for device in &devices {
        steering.set_socket(device.queue(), device.as_fd())?;
    }
    // Last, so that no frame is ours before somebody takes it.
    steer(&steering, &addresses, &endpoints)?;

    let config = WorkerConfig {
        capacity: options.capacity,
        secret: secret()?,
        addresses,
        checksums: options.checksums,
        hop_limit: HOP_LIMIT,
        source_ports: SOURCE_PORTS,
    };
    let served = endpoints.clone();
    let (handle, thread) = worker::spawn(core, options.idle, devices, move |devices| {
        let mut worker = make_worker(config, &served, options.tcp);
        devices
            .into_iter()
            .for_each(|device| worker.attach(device, mac));
        worker
    })?;
    Ok(Runtime {
        interface: options.interface,
        endpoints,
        workers: vec![handle],
        threads: vec![thread],
        steering: Arc::new(steering),
        attachment: Some(attachment),
        _reservations: reservations,
    })
}

/// Tells the XDP program what is ours.
fn steer(
    steering: &Steering,
    addresses: &[LocalAddress],
    endpoints: &[(SocketAddr, Service)],
) -> Result<(), StartError> {
    for local in addresses {
        let kind = if local.owned {
            AddressKind::Owned
        } else {
            AddressKind::Shared
        };
        steering.set_address(local.address, kind)?;
    }
    for (endpoint, _) in endpoints {
        steering.add_listener(*endpoint)?;
    }
    Ok(())
}

/// The core of the first worker, if one was asked for.
fn check_cores(cores: &[usize]) -> Result<Option<core_affinity::CoreId>, StartError> {
    let available = core_affinity::get_core_ids().unwrap_or_default();
    let missing = cores
        .iter()
        .find(|&&core| !available.iter().any(|id| id.id == core));
    if let Some(&core) = missing {
        let available = available
            .iter()
            .map(|id| id.id.to_string())
            .collect::<Vec<_>>()
            .join(",");
        return Err(StartError::NoSuchCore { core, available });
    }
    Ok(cores.first().map(|&id| core_affinity::CoreId { id }))
}

/// All addresses of the interface, or those asked for; what the kernel does not have is owned.
fn choose_addresses(
    options: &ServerOptions,
    kernel: &[IpAddr],
) -> Result<Vec<LocalAddress>, StartError> {
    let asked = if options.addresses.is_empty() {
        kernel
    } else {
        &options.addresses
    };
    if asked.is_empty() {
        return Err(StartError::NoAddress(options.interface.clone()));
    }
    let serves = |address: &&IpAddr| ip::is_unicast(**address);
    if let Some(&address) = asked.iter().find(|address| !serves(address)) {
        return Err(StartError::BadAddress(address));
    }
    let local = |&address| LocalAddress {
        address,
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

fn endpoints(options: &ServerOptions, addresses: &[LocalAddress]) -> Vec<(SocketAddr, Service)> {
    let services = options.services.iter();
    let at = |port, service| {
        addresses
            .iter()
            .map(move |local| (SocketAddr::new(local.address, port), service))
    };
    services
        .flat_map(|(&port, &service)| at(port, service))
        .collect()
}

/// On shared addresses the kernel must know that the ports are taken.
fn reserve(
    addresses: &[LocalAddress],
    endpoints: &[(SocketAddr, Service)],
) -> Result<Vec<Reservation>, StartError> {
    let shared = |endpoint: &SocketAddr| {
        addresses
            .iter()
            .any(|local| local.address == endpoint.ip() && !local.owned)
    };
    let endpoints = endpoints.iter().map(|(endpoint, _)| *endpoint);
    endpoints.filter(shared).map(Reservation::take).collect()
}

fn open_devices(
    interface: &Interface,
    options: &Options,
    mode: Mode,
) -> Result<Vec<XdpDevice>, StartError> {
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
    let open = |queue| XdpDevice::open(interface, queue, &options).map_err(StartError::from);
    (0..interface.queues()).map(open).collect()
}

fn make_worker(
    config: WorkerConfig,
    endpoints: &[(SocketAddr, Service)],
    tcp: Config,
) -> Served<XdpDevice> {
    let mut worker = Served::new(config, Services::default());
    for (number, (endpoint, service)) in endpoints.iter().enumerate() {
        let listener = ListenerId(number as u16);
        worker.app_mut().set(listener, *service);
        worker.listen(Endpoint::from(*endpoint), listener, tcp);
    }
    worker
}

/// A new key from the kernel's randomness.
fn secret() -> Result<Secret, StartError> {
    let mut key = [0; 16];
    rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty()).map_err(|source| {
        StartError::System {
            what: "get random bytes",
            source: source.into(),
        }
    })?;
    Ok(Secret::new(key))
}
