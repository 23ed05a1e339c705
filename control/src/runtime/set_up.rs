//! From options to a running server, step by step. Each step is undone by dropping what it made.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use core_affinity::CoreId;
use wirepath_apps::Services;
use wirepath_device::Device as _;
use wirepath_stack::clock::MonotonicClock;
use wirepath_stack::limits::Capacity;
use wirepath_stack::link::{InterfaceId, LocalAddress};
use wirepath_stack::peers::WorkerId;
use wirepath_stack::rss::Rss;
use wirepath_stack::worker::WorkerConfig;
use wirepath_tcp::isn::Secret;
use wirepath_xdp::{self as xdp, XdpDevice};

use super::backends;
use super::directory::{Directory, WORKERS_MAX};
use super::hand_over::{Colleagues, Room};
use super::interface_plan::InterfacePlan;
use super::mailbox::{Served, WorkerHandle};
use super::place::{Site, served};
use super::reservation::Reservation;
use super::worker::{Idle, Seat, WorkerDevice};
use super::{ControlPlane, ListenerSettings, Runtime, ServerOptions, StartError, source_ports};

/// Hop limit of what we send, as Linux has it.
const HOP_LIMIT: u8 = 64;

/// What a server would consist of. Nothing is changed to know it.
struct Prospect {
    cores: Vec<CoreId>,
    plans: Vec<InterfacePlan>,
    /// Workers.
    count: usize,
    addresses: Vec<LocalAddress>,
}

impl Prospect {
    async fn of(options: &ServerOptions) -> Result<Self, StartError> {
        let cores = check_cores(&options.cores)?;
        let plans = survey(options).await?;
        check_addresses(&plans)?;
        Ok(Self {
            cores,
            count: count_workers(options, &plans)?,
            addresses: plans.iter().flat_map(|it| it.addresses.clone()).collect(),
            plans,
        })
    }
}

pub(super) async fn start(options: ServerOptions) -> Result<Runtime, StartError> {
    let Prospect {
        cores,
        plans,
        count,
        addresses,
    } = Prospect::of(&options).await?;
    plans.iter().try_for_each(InterfacePlan::check_free)?;
    // Before the XDP programs, whose drivers would complain less clearly.
    check_ports(&options, &addresses)?;
    for plan in &plans {
        XdpDevice::check(&plan.interface, 0, &options.device)?;
    }

    let mut opened = Vec::with_capacity(plans.len());
    for plan in &plans {
        opened.push(plan.take(options.mode, &options.device)?);
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
    let (mut places, mut attachments) = (Vec::new(), Vec::new());
    let (mut rss, mut devices) = (Vec::new(), Vec::new());
    for open in opened {
        devices.push(open.devices);
        rss.push(open.rss);
        attachments.push(open.attachment);
        places.push(open.place);
    }
    let seats = seats(devices, count, (&cores, options.idle));
    // Who is alone claims nothing.
    let claims = if count == 1 { 0 } else { count };
    let directory = Arc::new(Directory::with_capacity(claims * flows(&options.capacity)));
    let (workers, threads) = seat(seats, &config, (&directory, &rss))?;
    let site = Site {
        places,
        addresses,
        source_ports,
    };
    let plane = ControlPlane::new(site, options.tcp, (workers, directory));
    // Undoes all, should a listener not be had.
    let runtime = Runtime {
        plane: Arc::new(plane),
        threads,
        attachments,
    };
    let pools = runtime.plane.set_pools(options.pools.clone()).await;
    pools.map_err(StartError::from)?;
    for (endpoint, settings) in endpoints(&options, runtime.plane.addresses()) {
        let listening = runtime.plane.listen_with(endpoint, settings).await;
        listening.map_err(StartError::from)?;
    }
    Ok(runtime)
}

/// Says why a server could not start, as far as that can be known without starting it: ports may
/// be taken, by a server that runs.
///
/// # Errors
/// The first of the reasons.
pub async fn rehearse(options: &ServerOptions) -> Result<(), StartError> {
    let Prospect {
        plans, addresses, ..
    } = Prospect::of(options).await?;
    for (endpoint, _) in endpoints(options, &addresses) {
        served(&addresses, endpoint)?;
    }
    if !options.pools.is_empty() {
        let ports = source_ports::choose(options.source_ports.as_ref(), &addresses);
        source_ports::check(&ports, &addresses)?;
    }
    let kernel = plans.iter().flat_map(|plan| &plan.kernel);
    let here: Vec<IpAddr> = kernel
        .copied()
        .chain(addresses.iter().map(|local| local.address))
        .collect();
    for host in backends::hosts(&options.pools) {
        if here.contains(&host) {
            return Err(StartError::BackendIsHere(host));
        }
        if !addresses.iter().any(|local| backends::reaches(local, host)) {
            let names: Vec<_> = plans.iter().map(InterfacePlan::name).collect();
            let interface = names.join(" or ");
            return Err(StartError::NoSource { host, interface });
        }
    }
    Ok(())
}

/// Looks at all interfaces.
async fn survey(options: &ServerOptions) -> Result<Vec<InterfacePlan>, StartError> {
    let mut plans = Vec::with_capacity(options.interfaces.len());
    for (id, interface) in (0..).map(InterfaceId).zip(&options.interfaces) {
        plans.push(InterfacePlan::survey(id, interface).await?);
    }
    Ok(plans)
}

/// An address is of one interface, but for those that mean something on one link alone.
fn check_addresses(plans: &[InterfacePlan]) -> Result<(), StartError> {
    for plan in plans {
        for other in plans.iter().filter(|other| other.id != plan.id) {
            if let Some(address) = plan.addresses_of(other) {
                return Err(StartError::AddressTwice {
                    address,
                    interfaces: [plan.name(), other.name()],
                });
            }
        }
    }
    Ok(())
}

/// Starts the workers, each with its queues, and all of them knowing each other.
#[expect(clippy::type_complexity, reason = "two lists of the same length")]
fn seat(
    seats: Vec<Seat>,
    config: &WorkerConfig,
    (directory, rss): (&Arc<Directory>, &[Option<xdp::Rss>]),
) -> Result<(Vec<WorkerHandle>, Vec<JoinHandle<io::Result<()>>>), StartError> {
    let count = seats.len();
    let mut seated = (Vec::new(), Vec::new());
    for seat in seats {
        let colleagues = Colleagues {
            me: WorkerId(seat.number as u8),
            rooms: Arc::clone(&seat.rooms),
            directory: Arc::clone(directory),
        };
        let rss = (0..).map(InterfaceId).zip(rss);
        let rss = rss.map(|(id, rss)| home(rss.as_ref()?, id, &seat));
        let rss: Vec<Option<Rss>> = rss.collect();
        let config = config.clone();
        let taken = seat.take(move |devices| {
            let services = Services::with_capacity(config.capacity.connections);
            let mut worker = Served::new(config, services);
            for it in devices {
                worker.attach_to(it.interface, it.device, it.mac);
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

/// The way in which the card of interface `id` deals frames out as the worker of `seat` sees it;
/// `None` for a hash that we do not know, or where it is nobody's home.
fn home(rss: &xdp::Rss, id: InterfaceId, seat: &Seat) -> Option<Rss> {
    let here = seat.devices.iter().filter(|it| it.interface == id);
    let here: Vec<u32> = here.map(|it| it.queue.number).collect();
    let home: Vec<bool> = rss.indirection.iter().map(|it| here.contains(it)).collect();
    let is_known = rss.hash == xdp::TOEPLITZ && rss.hashes_ports;
    (is_known && home.contains(&true)).then(|| Rss::new(rss.key.clone(), home))?
}

/// Flows of a worker at most, of any kind.
const fn flows(capacity: &Capacity) -> usize {
    capacity.connections + capacity.half_open + capacity.time_wait
}

/// Deals the queues of each interface out to `count` workers, and the workers to the cores.
fn seats(
    interfaces: Vec<Vec<WorkerDevice>>,
    count: usize,
    (cores, idle): (&[CoreId], Idle),
) -> Vec<Seat> {
    let mut dealt: Vec<Vec<WorkerDevice>> = (0..count).map(|_| Vec::new()).collect();
    for devices in interfaces {
        for (nth, device) in devices.into_iter().enumerate() {
            dealt[nth % count].push(device);
        }
    }
    let longest = dealt.iter().flatten();
    let longest = longest.map(|it| it.device.capabilities().longest_frame());
    let longest = longest.max().unwrap_or_default();
    let rooms = dealt.iter();
    let rooms = rooms.map(|devices| Room::new(devices[0].device.waker(), longest));
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

/// As many workers as were asked for, or as there are cores and queues for: each has a queue of
/// every interface.
fn count_workers(options: &ServerOptions, plans: &[InterfacePlan]) -> Result<usize, StartError> {
    let scarce = plans.iter().min_by_key(|plan| plan.queues.len());
    let queues = scarce.map_or(0, |plan| plan.queues.len());
    let cores = match options.cores.len() {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        named => named,
    };
    let count = options.workers.unwrap_or_else(|| cores.min(queues));
    if count == 0 || count > queues || count > WORKERS_MAX {
        return Err(StartError::Workers {
            count,
            queues,
            interface: scarce.map_or_else(String::new, InterfacePlan::name),
        });
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
    for (endpoint, _) in endpoints(options, addresses) {
        if !served(addresses, endpoint)?.owned {
            Reservation::take(endpoint)?;
        }
    }
    Ok(())
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
