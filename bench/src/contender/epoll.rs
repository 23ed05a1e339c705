//! The kernel's TCP behind epoll: one thread, level-triggered, one read and one write a message.

use std::collections::HashMap;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::net::{SendFlags, SocketFlags, accept_with, send, sockopt};
use wirepath_apps::Service;

use crate::load::Pattern;

const EVENTS: usize = 256;
const BUFFER: usize = 128 << 10;
/// The number of the listener among the sockets.
const LISTENER: u64 = u64::MAX;
/// How long who sleeps may take to notice that it is to end.
const NAP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// The server.
pub(super) struct Server {
    epoll: OwnedFd,
    listener: TcpListener,
    service: Service,
    peers: HashMap<u64, Peer>,
    next: u64,
    buffer: Vec<u8>,
}

struct Peer {
    socket: OwnedFd,
    /// What was read and could not be sent back yet.
    unsent: Vec<u8>,
    /// Bytes of the pattern that were sent.
    sent: u64,
    interest: epoll::EventFlags,
}

impl Server {
    pub(super) fn new(listener: OwnedFd, service: Service) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64(LISTENER);
        epoll::add(&epoll, &listener, data, epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener: listener.into(),
            service,
            peers: HashMap::new(),
            next: 0,
            buffer: vec![0; BUFFER],
        })
    }

    pub(super) fn run(&mut self, spins: bool, ends: &AtomicBool) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let patience = if spins { Timespec::default() } else { NAP };
        while !ends.load(Ordering::Relaxed) {
            retry_on_intr(|| {
                epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&patience))
            })
            .context("cannot wait for events")?;
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    number => self.serve(number)?,
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        loop {
            let socket = match accept_with(self.listener.as_fd(), flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN | Errno::CONNABORTED) => return Ok(()),
                Err(error) => return Err(error).context("cannot accept"),
            };
            sockopt::set_tcp_nodelay(&socket, true)?;
            let interest = match self.service {
                Service::Chargen => epoll::EventFlags::OUT,
                Service::Echo | Service::Discard => epoll::EventFlags::IN,
            };
            let number = self.next;
            self.next += 1;
            epoll::add(
                &self.epoll,
                &socket,
                epoll::EventData::new_u64(number),
                interest,
            )?;
            let (unsent, sent) = (Vec::new(), 0);
            let peer = Peer {
                socket,
                unsent,
                sent,
                interest,
            };
            self.peers.insert(number, peer);
        }
    }

    /// Serves a peer that has something to read or room, and forgets it when it is gone.
    fn serve(&mut self, number: u64) -> anyhow::Result<()> {
        let Some(peer) = self.peers.get_mut(&number) else {
            return Ok(());
        };
        let served = match self.service {
            Service::Echo => peer.echo(&mut self.buffer),
            Service::Discard => peer.read(&mut self.buffer).map(drop),
            Service::Chargen => peer.generate(),
        };
        if served.is_err() {
            self.peers.remove(&number);
            return Ok(());
        }
        let wanted = match (self.service, peer.unsent.is_empty()) {
            (Service::Chargen, _) | (_, false) => epoll::EventFlags::OUT,
            (_, true) => epoll::EventFlags::IN,
        };
        if peer.interest != wanted {
            peer.interest = wanted;
            let data = epoll::EventData::new_u64(number);
            epoll::modify(&self.epoll, &peer.socket, data, wanted)?;
        }
        Ok(())
    }
}

impl Peer {
    /// Bytes that came; an error when the peer has gone.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match retry_on_intr(|| read(&self.socket, &mut *buffer)) {
            Ok(0) => Err(Errno::PIPE),
            Err(Errno::AGAIN) => Ok(0),
            result => result,
        }
    }

    /// How many bytes were taken.
    fn send(&self, text: &[u8]) -> Result<usize, Errno> {
        match send(&self.socket, text, SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => Ok(0),
            result => result,
        }
    }

    fn echo(&mut self, buffer: &mut [u8]) -> Result<(), Errno> {
        if !self.unsent.is_empty() {
            let sent = self.send(&self.unsent)?;
            self.unsent.drain(..sent);
            return Ok(());
        }
        let len = self.read(buffer)?;
        let sent = self.send(&buffer[..len])?;
        self.unsent.extend_from_slice(&buffer[sent..len]);
        Ok(())
    }

    fn generate(&mut self) -> Result<(), Errno> {
        loop {
            let text = Pattern::characters().from(self.sent, u64::MAX);
            let sent = self.send(text)?;
            self.sent += sent as u64;
            if sent < text.len() {
                return Ok(());
            }
        }
    }
}
