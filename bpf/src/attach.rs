//! The link between the program and an interface.
#![allow(
    unsafe_code,
    reason = "libbpf-rs attaches no XDP link with a choice of mode"
)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libbpf_rs::libbpf_sys;
use libbpf_rs::{Program, Xdp, XdpFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, netdevice};

use crate::SteerError;
use crate::error::map_error;

/// Where in the receive path the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In the driver, before the kernel has made anything of the frame.
    Native,
    /// In the generic hook behind the driver: any interface has it, but it is slower.
    Skb,
}

impl Mode {
    fn flags(self) -> XdpFlags {
        match self {
            Self::Native => XdpFlags::DRV_MODE,
            Self::Skb => XdpFlags::SKB_MODE,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Skb => "skb",
        })
    }
}

/// The program on an interface. Dropping it, or the end of the process, takes the program off.
#[derive(Debug)]
#[must_use = "dropping the attachment takes the program off the interface"]
pub struct Attachment {
    link: OwnedFd,
    program: u32,
    ifindex: i32,
    mode: Mode,
}

impl Attachment {
    /// The mode the program runs in.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether the program is still on the interface: it goes when the interface does.
    #[must_use]
    pub fn is_live(&self) -> bool {
        on_interface(self.link.as_fd(), self.ifindex, self.mode.flags()) == Some(self.program)
    }
}

/// A loaded program and where it is to go.
pub(crate) struct Target<'a> {
    pub(crate) program: BorrowedFd<'a>,
    pub(crate) interface: &'a str,
}

impl Target<'_> {
    /// Attaches the program, in skb mode where `mode` leaves the choice and native fails.
    pub(crate) fn attach(&self, mode: Option<Mode>) -> Result<Attachment, SteerError> {
        let ifindex = ifindex(self.interface)?;
        match self.attach_in(ifindex, mode.unwrap_or(Mode::Native)) {
            Err(SteerError::Attach { source, .. }) if mode.is_none() => {
                let interface = self.interface;
                tracing::info!(interface, %source, "no native XDP here, falling back to skb mode");
                self.attach_in(ifindex, Mode::Skb)
            }
            result => result,
        }
    }

    fn attach_in(&self, ifindex: i32, mode: Mode) -> Result<Attachment, SteerError> {
        let program = Program::id_from_fd(self.program).map_err(map_error("identify"))?;
        let link = create_link(self.program, ifindex, mode).map_err(|source| {
            let interface = self.interface.to_owned();
            match Errno::from_io_error(&source) {
                Some(Errno::PERM | Errno::ACCESS) => SteerError::NoPrivilege {
                    what: "attach the XDP program",
                },
                Some(Errno::BUSY | Errno::EXIST) => SteerError::AlreadyAttached {
                    interface,
                    program: on_interface(self.program, ifindex, XdpFlags::NONE),
                },
                _ => SteerError::Attach {
                    interface,
                    mode,
                    source,
                },
            }
        })?;
        Ok(Attachment {
            link,
            program,
            ifindex,
            mode,
        })
    }
}

fn ifindex(interface: &str) -> Result<i32, SteerError> {
    rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)
        .and_then(|socket| netdevice::name_to_index(socket, interface))
        .ok()
        .and_then(|index| i32::try_from(index).ok())
        .ok_or_else(|| SteerError::NoSuchInterface(interface.to_owned()))
}

/// The id of the program that runs on the interface.
fn on_interface(program: BorrowedFd<'_>, ifindex: i32, flags: XdpFlags) -> Option<u32> {
    Xdp::new(program)
        .query_id(ifindex, flags)
        .ok()
        .filter(|&id| id != 0)
}

fn create_link(program: BorrowedFd<'_>, ifindex: i32, mode: Mode) -> io::Result<OwnedFd> {
    let options = libbpf_sys::bpf_link_create_opts {
        sz: size_of::<libbpf_sys::bpf_link_create_opts>() as libbpf_sys::size_t,
        flags: mode.flags().bits(),
        ..Default::default()
    };
    // SAFETY: `options` outlives the call and its size is right; the call keeps no pointer.
    let fd = unsafe {
        libbpf_sys::bpf_link_create(program.as_raw_fd(), ifindex, libbpf_sys::BPF_XDP, &options)
    };
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
