//! The kernel's TCP as the sender.

use std::fs;
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::net::sockopt;
use wirepath::netns::Namespace;
use wirepath_apps::chargen::PATTERN;
use wirepath_tcp::config::CongestionControl;

use super::ADDRESS;

/// How long the kernel may take nothing more before the writer gives up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of one write, about: the pattern this many times.
const REPEATS: usize = 32;

/// A thread that writes as fast as the kernel takes it.
pub(crate) struct LinuxServer {
    writer: JoinHandle<io::Result<()>>,
    /// Retransmissions of the namespace before.
    before: u64,
}

impl LinuxServer {
    pub(super) fn start(
        namespace: &Namespace,
        congestion: CongestionControl,
    ) -> anyhow::Result<Self> {
        let before = namespace.run(retransmitted)??;
        let listener = namespace.run(|| TcpListener::bind(ADDRESS))?;
        let listener = listener.with_context(|| format!("cannot listen at {ADDRESS}"))?;
        let name = congestion.name();
        if sockopt::set_tcp_congestion(&listener, name).is_err() {
            let known = congestion_controls()?.join(", ");
            bail!("this kernel's TCP has no {name}; it has {known}: choose with --congestion");
        }
        let writer = thread::Builder::new().name("writer".to_owned());
        let writer = writer.spawn(move || {
            // The accepted socket inherits the congestion control.
            let (stream, _) = listener.accept()?;
            drop(listener);
            write_for_ever(stream)
        })?;
        Ok(Self { writer, before })
    }

    pub(super) fn stop(self, namespace: &Namespace) -> anyhow::Result<u64> {
        let written = self.writer.join();
        let written = written.map_err(|_| anyhow::anyhow!("the writer panicked"))?;
        match written {
            // That is how the client ends it.
            Err(error) if is_gone(&error) => {}
            written => written.context("the kernel's sender failed")?,
        }
        Ok(namespace.run(retransmitted)??.saturating_sub(self.before))
    }
}

fn is_gone(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    kinds.contains(&error.kind())
}

fn write_for_ever(mut stream: TcpStream) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let text = PATTERN.repeat(REPEATS);
    loop {
        stream.write_all(&text)?;
    }
}

/// The congestion controls that this kernel's TCP has.
///
/// # Errors
/// The kernel does not say.
pub(crate) fn congestion_controls() -> anyhow::Result<Vec<String>> {
    let path = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    let names = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(names.split_whitespace().map(str::to_owned).collect())
}

/// Segments that the kernel of the calling thread's namespace has sent again.
fn retransmitted() -> anyhow::Result<u64> {
    let path = "/proc/thread-self/net/snmp";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let count = value_of(&text, "Tcp:", "RetransSegs");
    count.with_context(|| format!("{path} has no RetransSegs"))
}

/// A value of a table whose rows begin with `row`: first the names, then the values.
fn value_of(table: &str, row: &str, name: &str) -> Option<u64> {
    let mut rows = table.lines().filter_map(|line| line.strip_prefix(row));
    let (names, values) = (rows.next()?, rows.next()?);
    let at = names.split_whitespace().position(|it| it == name)?;
    values.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_below_its_name() {
        let table = "Ip: InReceives\nIp: 5\nTcp: MaxConn OutSegs RetransSegs\nTcp: -1 20 3\n";
        assert_eq!(value_of(table, "Tcp:", "RetransSegs"), Some(3));
        assert_eq!(value_of(table, "Tcp:", "MaxConn"), None);
        assert_eq!(value_of(table, "Ip:", "RetransSegs"), None);
        assert_eq!(value_of(table, "Udp:", "RetransSegs"), None);
    }
}
