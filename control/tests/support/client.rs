//! Ordinary kernel sockets as clients.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use wirepath::netns::{Namespace, Network};

/// Long enough for the worst that the tests do to a link, so that a stall is an error, no hang.
const PATIENCE: Duration = Duration::from_secs(30);
const CHUNK: usize = 256 * 1024;

/// Where a server can be reached: on an address of its kernel's, or on one of its own.
pub(crate) const SHARED_V4: IpAddr = IpAddr::V4(Network::SERVER_V4);
pub(crate) const SHARED_V6: IpAddr = IpAddr::V6(Network::SERVER_V6);
pub(crate) const OWNED_V4: IpAddr = IpAddr::V4(Network::OWNED_V4);
pub(crate) const OWNED_V6: IpAddr = IpAddr::V6(Network::OWNED_V6);
pub(crate) const ADDRESSES: [IpAddr; 4] = [SHARED_V4, SHARED_V6, OWNED_V4, OWNED_V6];

/// `--address` for each of [`ADDRESSES`].
pub(crate) fn all_addresses() -> Vec<String> {
    ADDRESSES
        .iter()
        .flat_map(|address| ["--address".to_owned(), address.to_string()])
        .collect()
}

/// Connects from this namespace.
pub(crate) fn connect(from: &Namespace, to: impl Into<SocketAddr>) -> TcpStream {
    let to = to.into();
    try_connect(from, to).unwrap_or_else(|error| panic!("connect to {to}: {error}"))
}

pub(crate) fn try_connect(from: &Namespace, to: impl Into<SocketAddr>) -> io::Result<TcpStream> {
    let to = to.into();
    from.run(|| connect_here(to))
        .expect("the namespace is there")
}

/// Connects from the namespace of the calling thread.
pub(crate) fn connect_here(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What came of a stream that was sent and came back.
#[derive(Debug)]
pub(crate) struct Echoed {
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
    /// Longest time between two reads that brought something.
    pub(crate) longest_gap: Duration,
}

impl Echoed {
    pub(crate) fn megabits_per_second(&self) -> u128 {
        u128::from(self.bytes) * 8 / self.took.as_micros().max(1)
    }
}

/// Sends random bytes of a seed, closes its side, and reads until the other closes: the same
/// bytes must come, by count and SHA-256.
pub(crate) fn echo(stream: &TcpStream, bytes: u64, seed: u64) -> Echoed {
    let sends = || {
        let sent = send_random(stream, bytes, seed);
        stream
            .shutdown(Shutdown::Write)
            .expect("the connection is there");
        sent
    };
    compare(sends, || receive(stream, u64::MAX), (bytes, seed))
}

/// The same, but both sides stay open.
pub(crate) fn echo_and_stay(stream: &TcpStream, bytes: u64, seed: u64) -> Echoed {
    let sends = || send_random(stream, bytes, seed);
    compare(sends, || receive(stream, bytes), (bytes, seed))
}

fn compare(
    sends: impl FnOnce() -> [u8; 32] + Send,
    receives: impl FnOnce() -> ([u8; 32], Echoed),
    (bytes, seed): (u64, u64),
) -> Echoed {
    let (sent, (received, echoed)) = thread::scope(|scope| {
        let sender = scope.spawn(sends);
        let received = receives();
        (sender.join().expect("all is sent"), received)
    });
    assert_eq!(echoed.bytes, bytes, "seed {seed}");
    assert!(
        sent == received,
        "other bytes came back than were sent; seed {seed}"
    );
    echoed
}

/// Sends random bytes; returns their SHA-256.
fn send_random(mut stream: &TcpStream, bytes: u64, seed: u64) -> [u8; 32] {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut left = bytes;
    while left > 0 {
        let size = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
        random.fill(&mut chunk[..size]);
        hash.update(&chunk[..size]);
        stream.write_all(&chunk[..size]).unwrap_or_else(|error| {
            panic!("{left} of {bytes} bytes are still to be sent: {error}")
        });
        left -= size as u64;
    }
    hash.finalize().into()
}

/// Reads until the FIN, or until so many bytes have come.
fn receive(mut stream: &TcpStream, limit: u64) -> ([u8; 32], Echoed) {
    let start = Instant::now();
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let (mut bytes, mut longest_gap, mut last) = (0, Duration::ZERO, start);
    while bytes < limit {
        let read = stream.read(&mut chunk);
        let size = read.unwrap_or_else(|error| panic!("after {bytes} bytes: {error}"));
        longest_gap = longest_gap.max(last.elapsed());
        last = Instant::now();
        if size == 0 {
            break;
        }
        hash.update(&chunk[..size]);
        bytes += size as u64;
    }
    let echoed = Echoed {
        bytes,
        took: start.elapsed(),
        longest_gap,
    };
    (hash.finalize().into(), echoed)
}

/// `size` random bytes of a seed.
pub(crate) fn random_bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// Sends a few bytes of a seed and reads them again.
pub(crate) fn ping(mut stream: &TcpStream, seed: u64) {
    let sent = random_bytes(300, seed);
    stream.write_all(&sent).unwrap();
    let mut echoed = vec![0; sent.len()];
    stream.read_exact(&mut echoed).unwrap();
    assert_eq!(echoed, sent, "seed {seed}");
}

/// Tells others that it is over when it drops, also by a panic.
pub(crate) struct End<'a>(pub(crate) &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Closes with a RST instead of a FIN.
pub(crate) fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))
        .expect("the socket lingers for no time");
    drop(stream);
}

/// Lets this process open as many files as the system allows it.
pub(crate) fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit).expect("a process may raise its own limit");
}
