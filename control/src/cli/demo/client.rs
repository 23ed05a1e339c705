//! Ordinary kernel sockets that talk to an echo server and compare every byte.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;

/// How long a client waits for any answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes written before they are read back: less than any buffer holds.
const PIECE: usize = 16 << 10;
/// Round trips that are not counted, at the start of a measurement.
const WARM_UP: u64 = 1_000;

/// The byte at `position` of what connection `number` sends: no two runs look alike.
const fn byte(number: usize, position: usize) -> u8 {
    let mixed = (number.wrapping_mul(0x9E37_79B9) ^ position).wrapping_mul(0x85EB_CA6B);
    (mixed >> 13) as u8
}

fn connect(server: SocketAddr) -> anyhow::Result<TcpStream> {
    let connected = TcpStream::connect_timeout(&server, PATIENCE);
    let stream = connected.with_context(|| format!("cannot connect to {server}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends `size` bytes piece by piece and compares what comes back.
fn exchange(stream: &mut TcpStream, number: usize, size: usize) -> anyhow::Result<()> {
    let mut sent = Vec::with_capacity(PIECE);
    let mut received = vec![0; PIECE];
    for start in (0..size).step_by(PIECE) {
        let len = PIECE.min(size - start);
        sent.clear();
        sent.extend((start..start + len).map(|position| byte(number, position)));
        stream.write_all(&sent)?;
        stream
            .read_exact(&mut received[..len])
            .context("the echo did not come")?;
        ensure!(
            sent == received[..len],
            "connection {number}: wrong bytes after {start}"
        );
    }
    Ok(())
}

/// Shuts our half down and expects the server to close as well, with nothing more to say.
fn close(stream: &mut TcpStream) -> anyhow::Result<()> {
    stream.shutdown(std::net::Shutdown::Write)?;
    let rest = stream
        .read(&mut [0; 64])
        .context("the server did not close")?;
    ensure!(rest == 0, "the server said more than was echoed");
    Ok(())
}

/// One connection for one small message; returns how many bytes were compared.
pub(super) fn exchange_once(server: SocketAddr, number: usize) -> anyhow::Result<u64> {
    let mut stream = connect(server)?;
    let size = 1 + number % 128;
    exchange(&mut stream, number, size)?;
    close(&mut stream)?;
    Ok(size as u64)
}

/// Many connections at once.
pub(super) struct Exchange<'a> {
    pub(super) servers: &'a [SocketAddr],
    pub(super) connections: usize,
    pub(super) sizes: &'a [usize],
}

impl Exchange<'_> {
    /// Opens all, then exchanges on each, then closes all; returns how many bytes were compared.
    pub(super) fn run(&self, step: impl Fn()) -> anyhow::Result<u64> {
        let servers = self.servers.iter().cycle().take(self.connections);
        let streams: anyhow::Result<Vec<TcpStream>> = servers.map(|s| connect(*s)).collect();
        let mut streams = streams?;
        let mut compared = 0;
        for (number, stream) in streams.iter_mut().enumerate() {
            let size = self.sizes[number % self.sizes.len()];
            exchange(stream, number, size)?;
            compared += size as u64;
            step();
        }
        streams.iter_mut().try_for_each(close)?;
        Ok(compared)
    }
}

/// A closed loop: each connection has one request outstanding.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) server: SocketAddr,
    pub(super) connections: usize,
    /// Bytes of a request.
    pub(super) request: usize,
    pub(super) span: Duration,
}

/// What a load measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// Round trips per second.
    pub(super) rate: f64,
    /// Round-trip times in nanoseconds.
    pub(super) latency: Histogram<u64>,
    /// Bytes compared.
    pub(super) bytes: u64,
}

/// One connection of a load.
struct Loader {
    stream: TcpStream,
    number: usize,
    sent_at: Instant,
    received: usize,
}

impl Load {
    /// Spins on all connections for the span of the load.
    pub(super) fn run(&self) -> anyhow::Result<Measured> {
        let now = Instant::now();
        let loaders: anyhow::Result<Vec<Loader>> = (0..self.connections)
            .map(|number| {
                let stream = connect(self.server)?;
                stream.set_nonblocking(true)?;
                Ok(Loader {
                    stream,
                    number,
                    sent_at: now,
                    received: 0,
                })
            })
            .collect();
        let mut loaders = loaders?;
        for loader in &mut loaders {
            loader.send(self.request)?;
        }
        let (mut answers, mut bytes) = (0u64, 0u64);
        let mut latency = Histogram::<u64>::new(3)?;
        let (mut begun, mut answered) = (Instant::now(), Instant::now());
        while begun.elapsed() < self.span || answers < WARM_UP {
            for loader in &mut loaders {
                let Some(took) = loader.receive(self.request)? else {
                    continue;
                };
                bytes += self.request as u64;
                answers += 1;
                answered = Instant::now();
                if answers == WARM_UP {
                    begun = answered;
                } else if answers > WARM_UP {
                    latency.record(took.as_nanos() as u64)?;
                }
                loader.send(self.request)?;
            }
            if answered.elapsed() > PATIENCE {
                bail!("no answer within {} s", PATIENCE.as_secs());
            }
        }
        let rate = latency.len() as f64 / begun.elapsed().as_secs_f64();
        Ok(Measured {
            rate,
            latency,
            bytes,
        })
    }
}

impl Loader {
    fn send(&mut self, request: usize) -> anyhow::Result<()> {
        let bytes: [u8; 512] = std::array::from_fn(|position| byte(self.number, position));
        self.sent_at = Instant::now();
        self.received = 0;
        let sent = self.stream.write(&bytes[..request])?;
        ensure!(sent == request, "a request did not fit the send buffer");
        Ok(())
    }

    /// Reads what is there; the round-trip time once the answer is whole.
    fn receive(&mut self, request: usize) -> anyhow::Result<Option<Duration>> {
        let mut buffer = [0; 512];
        let room = &mut buffer[..request - self.received];
        let count = match self.stream.read(room) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            count => count?,
        };
        ensure!(count > 0, "the server closed a connection in use");
        let expected = |i: usize| byte(self.number, self.received + i);
        let right = room[..count]
            .iter()
            .enumerate()
            .all(|(i, &got)| got == expected(i));
        ensure!(right, "connection {}: wrong bytes", self.number);
        self.received += count;
        Ok((self.received == request).then(|| self.sent_at.elapsed()))
    }
}
