//! The reader: an ordinary kernel socket, the same for both senders.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use wirepath_apps::chargen::PATTERN;

/// How long it waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of one read at most.
const CHUNK: usize = 256 << 10;

/// For how long to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    warm_up: Duration,
    counted: Duration,
}

impl Span {
    pub(super) const fn of_seconds(warm_up: u64, counted: u64) -> Self {
        Self {
            warm_up: Duration::from_secs(warm_up),
            counted: Duration::from_secs(counted),
        }
    }
}

/// What was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// Bytes from the first to the last, each compared with the pattern.
    pub(super) bytes: u64,
    /// Those of them that came after the warm-up, in bits per second.
    pub(super) goodput: f64,
}

/// Reads for the span and compares every byte.
///
/// # Errors
/// No connection, nothing comes, or something else than the pattern.
pub(super) fn take(server: SocketAddr, span: Span) -> anyhow::Result<Taken> {
    let connected = TcpStream::connect_timeout(&server, PATIENCE);
    let mut stream = connected.with_context(|| format!("cannot connect to {server}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let opened = Instant::now();
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0;
    // When counting began, and the bytes before.
    let mut begun: Option<(Instant, u64)> = None;
    loop {
        let size = stream.read(&mut chunk).context("nothing more comes")?;
        ensure!(size > 0, "the server closed after {bytes} bytes");
        let right = is_pattern(&chunk[..size], bytes);
        ensure!(right, "other text than was sent, after {bytes} bytes");
        bytes += size as u64;
        let now = Instant::now();
        match begun {
            None if now - opened >= span.warm_up => begun = Some((now, bytes)),
            Some((since, before)) if now - since >= span.counted => {
                let bits = (bytes - before) as f64 * 8.0;
                let goodput = bits / (now - since).as_secs_f64();
                return Ok(Taken { bytes, goodput });
            }
            _ => {}
        }
    }
}

/// Whether `text` is what stands in the pattern after so many bytes.
fn is_pattern(text: &[u8], before: u64) -> bool {
    let at = (before % PATTERN.len() as u64) as usize;
    let (head, rest) = text.split_at(text.len().min(PATTERN.len() - at));
    head == &PATTERN[at..at + head.len()]
        && rest
            .chunks(PATTERN.len())
            .all(|part| part == &PATTERN[..part.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_known_at_every_place() {
        let around = PATTERN.repeat(3);
        for at in [0, 1, PATTERN.len() - 1] {
            let text = &around[at..at + PATTERN.len() + 7];
            assert!(is_pattern(text, (5 * PATTERN.len() + at) as u64));
            assert!(!is_pattern(text, at as u64 + 1));
        }
        let mut wrong = around;
        wrong[PATTERN.len() + 3] ^= 1;
        assert!(!is_pattern(&wrong, 0));
    }
}
