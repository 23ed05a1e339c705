//! From options to a running server, step by step. Each step is undone by dropping what it made.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use core_affinity::CoreId;
use wirepath_apps::Services;
use wirepath_bpf::{AddressKind, Mode, Steering};
use wirepath_device::Device as _;
use wirepath_stack::clock::MonotonicClock;
use wirepath_stack::limits::Capacity;
use wirepath_stack::link::LocalAddress;
use wirepath_stack::peers::WorkerId;
use wirepath_stack::rss::Rss;
use wirepath_stack::worker::WorkerConfig;
use wirepath_tcp::isn::Secret;
use wirepath_wire::ethernet::MacAddr;
use wirepath_wire::ip;
use wirepath_xdp::{self as xdp, Interface, OpenError, Options, Settings, XdpDevice, ZeroCopy};

use super::directory::{Directory, WORKERS_MAX};
use super::hand_over::{Colleagues, Room};
use super::mailbox::{Served, WorkerHandle};
use super::plane::Place;
use super::reservation::Reservation;
use super::worker::{Idle, Seat};
use super::{
    ControlPlane, ListenerSettings, Runtime, ServerOptions, StartError, host, source_ports,
};

/// Hop limit of what we send, as Linux has it.
const HOP_LIMIT: u8 = 64;

pub(super) async fn start(options: ServerOptions) -> Result<Runtime, StartError> {
    let cores = check_cores(&options.cores)?;
    let interface = Interface::find(&options.interface)?;
    let host = host::look(&interface).await?;
    let mac = host
        .mac
        .ok_or_else(|| StartError::NotEthernet(interface.name().to_owned()))?;
    let addresses = choose_addresses(&options, &host.addresses)?;
    let queues = choose_queues(&options, &interface)?;
    let count = count_workers(&options, queues.len())?;
    // Before the XDP program, whose driver would complain less clearly.
    check_ports(&options, &addresses)?;
    XdpDevice::check(&interface, 0, &options.device)?;

    let steering = Steering::load()?;
    let attachment = steering.attach(interface.name(), options.mode)?;
    let mode = attachment.mode();
    let mut devices = Vec::with_capacity(queues.len());
    for queue in queues {
        devices.push(open_device(&interface, queue, (&options.device, mode))?);
    }
    for device in &devices {
        steering.set_socket(device.queue(), device.as_fd())?;
    }
    let source_ports = source_ports::choose(options.source_ports.as_ref(), &addresses);
    let config = WorkerConfig {
        capacity: options.capacity,
        secret: secret()?,
        addresses: addresses.clone(),
        checksums: options.checksums,
        hop_limit: HOP_LIMIT,
        source_ports: source_ports.clone(),
    };
    for local in &addresses {
        steering.set_address(local.address, kind(local))?;
    }
    let seats = seats(devices, count, (&cores, options.idle));
    // Who is alone claims nothing.
    let claims = if count == 1 { 0 } else { count };
    let directory = Arc::new(Directory::with_capacity(claims * flows(&options.capacity)));
    let rss = Settings::of(&interface).rss;
    let (workers, threads) = seat(seats, &config, (mac, &directory, rss.as_ref()))?;
    let place = Place {
        interface: options.interface.clone(),
        index: interface.index(),
        addresses,
        source_ports,
    };
    let plane = ControlPlane::new(place, options.tcp, (workers, directory, steering));
    // Undoes all, should a listener not be had.
    let runtime = Runtime {
        plane: Arc::new(plane),
        threads,
        attachment: Some(attachment),
    };
    let pools = runtime.plane.set_pools(options.pools.clone()).await;
    pools.map_err(StartError::from)?;
    for (endpoint, settings) in endpoints(&options, runtime.plane.addresses()) {
        let listening = runtime.plane.listen_with(endpoint, settings).await;
        listening.map_err(StartError::from)?;
    }
    Ok(runtime)
}

/// Starts the workers, each with its queues, and all of them knowing each other.
#[expect(clippy::type_complexity, reason = "two lists of the same length")]
fn seat(
    seats: Vec<Seat>,
    config: &WorkerConfig,
    (mac, directory, rss): (MacAddr, &Arc<Directory>, Option<&xdp::Rss>),
) -> Result<(Vec<WorkerHandle>, Vec<JoinHandle<io::Result<()>>>), StartError> {
    let count = seats.len();
    let mut seated = (Vec::new(), Vec::new());
    for seat in seats {
        let colleagues = Colleagues {
            me: WorkerId(seat.number as u8),
            rooms: Arc::clone(&seat.rooms),
            directory: Arc::clone(directory),
        };
        let rss = rss.and_then(|rss| home(rss, &seat));
        let config = config.clone();
        let taken = seat.take(move |devices| {
            let services = Services::with_capacity(config.capacity.connections);
            let mut worker = Served::new(config, services);
            for device in devices {
                worker.attach(device, mac);
            }
            if count > 1 {
                let seat = (colleagues.me, count as u8);
                worker.join(Box::new(colleagues), seat, rss);
            }
            worker
        });
        match taken {
            Ok((handle, thread)) => {
                seated.0.push(handle);
                seated.1.push(thread);
            }
            Err(error) => {
                seated.0.iter().for_each(WorkerHandle::end);
                return Err(error);
            }
        }
    }
    Ok(seated)
}

/// The card's way to deal frames out as the worker of `seat` sees it; `None` for a hash that we do
/// not know, or where it is nobody's home.
fn home(rss: &xdp::Rss, seat: &Seat) -> Option<Rss> {
    let mine = |queue: &u32| seat.devices.iter().any(|device| device.queue() == *queue);
    let home: Vec<bool> = rss.indirection.iter().map(mine).collect();
    let is_known = rss.hash == xdp::TOEPLITZ && rss.hashes_ports;
    (is_known && home.contains(&true)).then(|| Rss::new(rss.key.clone(), home))?
}

/// Flows of a worker at most, of any kind.
const fn flows(capacity: &Capacity) -> usize {
    capacity.connections + capacity.half_open + capacity.time_wait
}

/// Deals the queues out to `count` workers, and the workers to the cores.
fn seats(devices: Vec<XdpDevice>, count: usize, (cores, idle): (&[CoreId], Idle)) -> Vec<Seat> {
    let mut dealt: Vec<Vec<XdpDevice>> = (0..count).map(|_| Vec::new()).collect();
    for (nth, device) in devices.into_iter().enumerate() {
        dealt[nth % count].push(device);
    }
    let longest = dealt.iter().flatten();
    let longest = longest.map(|device| device.capabilities().longest_frame());
    let longest = longest.max().unwrap_or_default();
    let rooms = dealt.iter();
    let rooms = rooms.map(|devices| Room::new(devices[0].waker(), longest));
    let (rooms, clock): (Arc<[Room]>, _) = (rooms.collect(), MonotonicClock::start());
    let seat = |(number, devices)| Seat {
        number,
        core: (!cores.is_empty()).then(|| cores[number % cores.len()]),
        idle,
        clock,
        rooms: Arc::clone(&rooms),
        devices,
    };
    dealt.into_iter().enumerate().map(seat).collect()
}

const fn kind(local: &LocalAddress) -> AddressKind {
    if local.owned {
        AddressKind::Owned
    } else {
        AddressKind::Shared
    }
}

/// The queues asked for, or all.
fn choose_queues(options: &ServerOptions, interface: &Interface) -> Result<Vec<u32>, StartError> {
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

/// As many workers as were asked for, or as there are cores and queues for.
fn count_workers(options: &ServerOptions, queues: usize) -> Result<usize, StartError> {
    let cores = match options.cores.len() {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        named => named,
    };
    let count = options.workers.unwrap_or_else(|| cores.min(queues));
    if count == 0 || count > queues || count > WORKERS_MAX {
        return Err(StartError::Workers { count, queues });
    }
    Ok(count)
}

/// The cores for the workers, if any were named.
fn check_cores(cores: &[usize]) -> Result<Vec<CoreId>, StartError> {
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
    Ok(cores.iter().map(|&id| CoreId { id }).collect())
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

fn endpoints(
    options: &ServerOptions,
    addresses: &[LocalAddress],
) -> Vec<(SocketAddr, ListenerSettings)> {
    let listeners = options.listeners.iter();
    listeners
        .flat_map(|listener| listener.endpoints(addresses))
        .collect()
}

/// Says early that the kernel has given a port away; it is taken when it is listened at.
fn check_ports(options: &ServerOptions, addresses: &[LocalAddress]) -> Result<(), StartError> {
    let owned = |address: &IpAddr| {
        let mut owned = addresses.iter().filter(|local| local.owned);
        owned.any(|local| local.address == *address)
    };
    for (endpoint, _) in endpoints(options, addresses) {
        if !owned(&endpoint.ip()) {
            Reservation::take(endpoint)?;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hosts_have_two_secrets() {
        let key = || *secret().expect("randomness").key();
        let (one, other) = (key(), key());
        assert_ne!(one, other);
        assert_ne!(one, [0; 16]);
    }
}
