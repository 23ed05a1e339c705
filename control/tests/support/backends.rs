//! Hosts behind a proxy: a third namespace on the bridge, whose kernel has their addresses.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wirepath::netns::{End, Link, Namespace, Network, connect};

use super::wait_until;

/// The interface of the middle that leads to the backends.
pub(crate) const TO_BACKENDS: &str = "to-backends";
const INTERFACE: &str = "backends0";
/// How many addresses there are, from [`address`]`(0)` on.
const ADDRESSES: u8 = 10;

/// The address of a backend.
pub(crate) const fn address(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 77, 0, 10 + number))
}

/// An address of the subnet that nobody has.
pub(crate) const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 99));

/// Client, proxy and backends on one bridge.
pub(crate) fn network(label: &str, queues: u32) -> (Network, Namespace) {
    let link = Link {
        queues,
        ..Link::default()
    };
    let network = Network::through_middle(label, &link).unwrap();
    let middle = network.middle.as_ref().expect("it has a middle");
    let backends = Namespace::new(&format!("{label}-backends")).unwrap();
    let mut end = End::new(&backends, INTERFACE);
    for number in 0..ADDRESSES {
        end = end.address(address(number), 24);
    }
    connect(&end, &End::new(middle, TO_BACKENDS), &link).unwrap();
    let port = ["link", "set", "dev", TO_BACKENDS, "master", "bridge0"];
    middle.ip(&port).unwrap();
    (network, backends)
}

/// What a backend does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Sends back what comes, until the peer closes; then it closes.
    Echo,
    /// Sends the last number of its address at once, and closes when the peer does.
    Name,
    /// Sends a line, closes its half, and reads to the end what comes.
    HalfClose,
    /// Resets when the first byte comes.
    Reset,
    /// Reads nothing, and stays.
    Stop,
}

/// A backend of the kernel's, on threads of this process; ends when the value drops.
pub(crate) struct Backend {
    at: SocketAddr,
    listener: Arc<TcpListener>,
    accepted: Arc<AtomicUsize>,
    acceptor: Option<JoinHandle<()>>,
}

impl Backend {
    pub(crate) fn start(host: &Namespace, number: u8, port: u16, manner: Manner) -> Self {
        Self::start_at(host, SocketAddr::new(address(number), port), manner)
    }

    /// Starts one at an address that the host has.
    pub(crate) fn start_at(host: &Namespace, at: SocketAddr, manner: Manner) -> Self {
        let listener = host.run(|| TcpListener::bind(at)).unwrap().unwrap();
        let listener = Arc::new(listener);
        let (accepts, accepted) = (Arc::clone(&listener), Arc::<AtomicUsize>::default());
        let count = Arc::clone(&accepted);
        let acceptor = thread::spawn(move || accept(&accepts, &count, manner));
        Self {
            at,
            listener,
            accepted,
            acceptor: Some(acceptor),
        }
    }

    pub(crate) const fn at(&self) -> SocketAddr {
        self.at
    }

    /// Connections that it has accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // Who waits for the next one is woken, with an error.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(acceptor) = self.acceptor.take() {
            // Its panic has been told.
            let _ = acceptor.join();
        }
    }
}

/// Serves each connection on a thread of its own until the listener ends; those that are open then
/// are closed, as the kernel does when a program ends.
fn accept(listener: &TcpListener, count: &AtomicUsize, manner: Manner) {
    let mut streams = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        count.fetch_add(1, Ordering::SeqCst);
        let stream = Arc::new(stream);
        streams.push(Arc::downgrade(&stream));
        // A proxy's peer may go at any time.
        thread::spawn(move || drop(serve(&stream, manner)));
    }
    for stream in streams.iter().filter_map(Weak::upgrade) {
        // It may be over.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn serve(mut stream: &TcpStream, manner: Manner) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut chunk = vec![0; 64 * 1024];
    match manner {
        Manner::Echo => loop {
            let size = stream.read(&mut chunk)?;
            if size == 0 {
                return Ok(());
            }
            stream.write_all(&chunk[..size])?;
        },
        Manner::Name => {
            let IpAddr::V4(address) = stream.local_addr()?.ip() else {
                unreachable!("backends have IPv4 addresses");
            };
            stream.write_all(&address.octets()[3..])?;
            stream.read_to_end(&mut chunk).map(drop)
        }
        Manner::HalfClose => {
            stream.write_all(b"that is all\n")?;
            stream.shutdown(Shutdown::Write)?;
            chunk.clear();
            stream.read_to_end(&mut chunk).map(drop)
        }
        Manner::Reset => {
            let _ = stream.read(&mut chunk[..1])?;
            reset(stream)
        }
        Manner::Stop => loop {
            thread::park();
        },
    }
}

/// Has the stream's end be a reset.
fn reset(stream: &TcpStream) -> io::Result<()> {
    let none = Some(Duration::ZERO);
    Ok(rustix::net::sockopt::set_socket_linger(
        stream.as_fd(),
        none,
    )?)
}

/// A program in a namespace, killed when the value drops.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts it, and returns when somebody listens at `at`.
    pub(crate) fn start(host: &Namespace, mut command: Command, at: SocketAddr) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let daemon = Self(child.expect("the program starts"));
        wait_until("the program listens", || {
            host.run(|| TcpStream::connect(at)).unwrap().is_ok()
        });
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
