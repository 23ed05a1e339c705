//! The client on sockets of the kernel: one thread that never sleeps.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use anyhow::Context;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::net::{self, AddressFamily, SendFlags, SocketFlags, SocketType, sockopt};

use super::Tally;
use super::driver::{Driver, Ended, Next};

/// Events taken at a time, and bytes read at a time.
const EVENTS: usize = 256;
const BUFFER: usize = 128 << 10;

const READABLE: epoll::EventFlags = epoll::EventFlags::IN;
const WRITABLE: epoll::EventFlags = epoll::EventFlags::OUT;

/// Puts the load on `server` from the calling thread's network namespace.
///
/// # Errors
/// The kernel has no more sockets, or the load cannot be carried out as it is meant.
pub(crate) fn drive(driver: Driver, server: SocketAddr) -> anyhow::Result<Tally> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("cannot make an epoll")?;
    let mut client = KernelClient {
        sockets: (0..driver.connections()).map(|_| None).collect(),
        driver,
        server,
        epoll,
        buffer: vec![0; BUFFER],
    };
    client.run()?;
    client.driver.finish()
}

struct KernelClient {
    driver: Driver,
    server: SocketAddr,
    epoll: OwnedFd,
    sockets: Vec<Option<Socket>>,
    buffer: Vec<u8>,
}

struct Socket {
    fd: OwnedFd,
    /// Whether it is connected.
    open: bool,
    /// What it waits for.
    interest: epoll::EventFlags,
}

impl KernelClient {
    fn run(&mut self) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let at_once = Timespec::default();
        loop {
            let now = self.driver.now();
            if self.driver.is_over(now) {
                return Ok(());
            }
            while let Some(connection) = self.driver.next_to_open() {
                self.open(connection)?;
            }
            if self.driver.take_begin() {
                for connection in 0..self.sockets.len() {
                    self.send(connection)?;
                }
            }
            while let Some(connection) = self.driver.next_due(now) {
                self.send(connection)?;
            }
            retry_on_intr(|| epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&at_once)))
                .context("cannot wait for events")?;
            for event in events.drain(..) {
                self.on_event(event.data.u64() as usize, event.flags)?;
            }
        }
    }

    fn open(&mut self, connection: usize) -> anyhow::Result<()> {
        let family = match self.server {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = net::socket_with(family, SocketType::STREAM, flags, None);
        let fd = fd.context(
            "cannot make a socket; each connection takes an open file at the client and one at \
             the server, and `ulimit -Hn` tells how many there may be",
        )?;
        sockopt::set_tcp_nodelay(&fd, true)?;
        let connected = net::connect(&fd, &self.server);
        if let Err(error) = connected
            && error != Errno::INPROGRESS
        {
            let server = self.server;
            self.driver
                .fail(format!("cannot connect to {server}: {error}"));
            return Ok(());
        }
        let interest = WRITABLE;
        epoll::add(&self.epoll, &fd, number(connection), interest)?;
        let open = false;
        self.sockets[connection] = Some(Socket { fd, open, interest });
        Ok(())
    }

    fn on_event(&mut self, connection: usize, flags: epoll::EventFlags) -> anyhow::Result<()> {
        let Some(socket) = &mut self.sockets[connection] else {
            return Ok(());
        };
        if !socket.open {
            if let Err(error) = sockopt::socket_error(&socket.fd)? {
                self.driver
                    .fail(format!("connection {connection}: {error}"));
                return Ok(());
            }
            socket.open = true;
            self.driver.on_open(connection);
            return self.send(connection);
        }
        if flags.contains(READABLE) {
            self.receive(connection)?;
        }
        if flags.contains(WRITABLE) {
            self.send(connection)?;
        }
        Ok(())
    }

    fn receive(&mut self, connection: usize) -> anyhow::Result<()> {
        let Some(socket) = &self.sockets[connection] else {
            return Ok(());
        };
        match retry_on_intr(|| read(&socket.fd, &mut self.buffer[..])) {
            Ok(0) => self.close(connection, Ended::ByServer),
            Ok(len) => match self.driver.on_text(connection, &self.buffer[..len]) {
                Next::Close => self.close(connection, Ended::AsMeant),
                Next::Send => self.send(connection)?,
            },
            Err(Errno::AGAIN) => {}
            Err(error) => self.close(connection, Ended::Error(error)),
        }
        Ok(())
    }

    fn close(&mut self, connection: usize, end: Ended) {
        self.sockets[connection] = None;
        self.driver.on_closed(connection, end);
    }

    /// Sends what there is room for, and waits for more room where that was not all.
    fn send(&mut self, connection: usize) -> anyhow::Result<()> {
        let mut wanted = READABLE;
        let Some(socket) = self.sockets[connection].as_mut().filter(|it| it.open) else {
            return Ok(());
        };
        loop {
            let text = self.driver.unsent(connection);
            if text.is_empty() {
                break;
            }
            match net::send(&socket.fd, text, SendFlags::NOSIGNAL) {
                Ok(sent) => self.driver.note_sent(connection, sent),
                Err(Errno::AGAIN) => {
                    wanted |= WRITABLE;
                    break;
                }
                Err(error) => {
                    self.close(connection, Ended::Error(error));
                    return Ok(());
                }
            }
        }
        if socket.interest != wanted {
            socket.interest = wanted;
            epoll::modify(&self.epoll, &socket.fd, number(connection), wanted)?;
        }
        Ok(())
    }
}

fn number(connection: usize) -> epoll::EventData {
    epoll::EventData::new_u64(connection as u64)
}
