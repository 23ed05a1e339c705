//! Frames of an interface, as they are: packet(7).

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvmsg,
    setsockopt, socket,
};
use nix::sys::time::TimeSpec;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use wirepath_sim::node::WireFrame;

/// The longest frame that comes whole, in bytes: far beyond the MTU of the links here.
const LONGEST: usize = 4_096;
/// Frames that come while the wire is busy wait here, in bytes of the kernel's memory: far more
/// than a window of the senders.
const BUFFER: usize = 16 << 20;

/// What comes to an interface and what leaves it, Ethernet header included.
pub(super) struct PacketSocket(OwnedFd);

/// A frame that has come.
pub(super) struct Received {
    pub(super) frame: WireFrame,
    /// When, by the system's clock, as time since 1970: however late it is read.
    pub(super) at: Duration,
}

impl PacketSocket {
    /// Reads and writes the frames of an interface of the calling thread's namespace.
    pub(super) fn bind(interface: &str) -> io::Result<Self> {
        let fd = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::EthAll,
        )?;
        setsockopt(&fd, RcvBufForce, &BUFFER)?;
        setsockopt(&fd, ReceiveTimestampns, &true)?;
        let mut links = getifaddrs()?.filter(|link| link.interface_name == interface);
        let address = links.find_map(|link| link.address?.as_link_addr().copied());
        let address = address.ok_or(Errno::NODEV)?;
        bind(fd.as_raw_fd(), &address)?;
        let this = Self(fd);
        // Until it was bound it has heard all interfaces.
        while this.receive()?.is_some() {}
        Ok(this)
    }

    /// The next frame that has come, if one has.
    pub(super) fn receive(&self) -> io::Result<Option<Received>> {
        use nix::errno::Errno;
        let mut frame = vec![0; LONGEST];
        let mut space = nix::cmsg_space!(TimeSpec);
        let (fd, flags) = (self.0.as_raw_fd(), MsgFlags::MSG_TRUNC);
        let mut parts = [IoSliceMut::new(&mut frame)];
        let message = match recvmsg::<()>(fd, &mut parts, Some(&mut space), flags) {
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            message => message?,
        };
        let length = message.bytes;
        let stamp = message.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        });
        let at = stamp.ok_or_else(|| io::Error::other("a frame came without its time"))?;
        if length > LONGEST {
            return Err(io::Error::other(format!(
                "a frame of {length} bytes came: the offloads of a sender are not off"
            )));
        }
        frame.truncate(length);
        Ok(Some(Received { frame, at }))
    }

    /// Sends a frame. Whether the interface took it.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<bool> {
        match send(&self.0, frame, SendFlags::DONTWAIT) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
