//! What a network interface is, as the kernel tells it.
//!
//! By ioctl, not from /sys: /sys shows the network namespace that it was mounted in, which need
//! not be the one the calling thread is in.
#![allow(unsafe_code, reason = "there is no safe wrapper of the ethtool ioctls")]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketType, netdevice, socket};

use crate::OpenError;

const ETHTOOL_GDRVINFO: u32 = 3;
const ETHTOOL_GCHANNELS: u32 = 0x3c;
const SIOCETHTOOL: libc::c_ulong = 0x8946;

/// A network interface, as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    name: String,
    index: u32,
    mtu: usize,
    queues: u32,
    driver: String,
}

impl Interface {
    /// Looks at an interface of the calling thread's network namespace.
    ///
    /// # Errors
    /// [`OpenError::NoSuchInterface`].
    pub fn find(name: &str) -> Result<Self, OpenError> {
        let query = Query::new(name).ok_or_else(|| OpenError::NoSuchInterface(name.to_owned()))?;
        let mtu = query
            .mtu()
            .ok_or_else(|| OpenError::NoSuchInterface(name.to_owned()))?;
        Ok(Self {
            name: name.to_owned(),
            index: query.index,
            mtu,
            queues: query.queues().unwrap_or(1),
            driver: query.driver().unwrap_or_else(|| "unknown".to_owned()),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kernel's number for it.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The longest IP packet it carries, in bytes.
    #[must_use]
    pub fn mtu(&self) -> usize {
        self.mtu
    }

    /// How many receive queues it uses; 1 if the driver does not tell.
    #[must_use]
    pub fn queues(&self) -> u32 {
        self.queues
    }

    /// The name of its driver, `unknown` if that does not tell.
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.driver
    }
}

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

/// `struct ethtool_channels`.
#[repr(C)]
#[derive(Default)]
struct Channels {
    command: u32,
    max: [u32; 4],
    rx: u32,
    tx: u32,
    other: u32,
    combined: u32,
}

/// Questions about one interface.
pub(crate) struct Query {
    socket: OwnedFd,
    name: [libc::c_char; libc::IFNAMSIZ],
    index: u32,
}

impl Query {
    pub(crate) fn new(name: &str) -> Option<Self> {
        let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).ok()?;
        let index = netdevice::name_to_index(&socket, name).ok()?;
        let mut padded = [0; libc::IFNAMSIZ];
        for (to, from) in padded.iter_mut().zip(name.bytes()) {
            *to = from.cast_signed();
        }
        Some(Self {
            socket,
            name: padded,
            index,
        })
    }

    fn mtu(&self) -> Option<usize> {
        let request = self.ioctl(
            libc::SIOCGIFMTU,
            libc::__c_anonymous_ifr_ifru { ifru_mtu: 0 },
        )?;
        // SAFETY: SIOCGIFMTU has set this member of the union.
        usize::try_from(unsafe { request.ifr_ifru.ifru_mtu }).ok()
    }

    fn queues(&self) -> Option<u32> {
        let mut channels = Channels {
            command: ETHTOOL_GCHANNELS,
            ..Channels::default()
        };
        self.ethtool(&mut channels)?;
        Some((channels.rx + channels.combined).max(1))
    }

    fn driver(&self) -> Option<String> {
        let mut info = DriverInfo {
            command: ETHTOOL_GDRVINFO,
            driver: [0; 32],
            rest: [0; 160],
        };
        self.ethtool(&mut info)?;
        let name = CStr::from_bytes_until_nul(&info.driver).ok()?;
        Some(name.to_string_lossy().into_owned())
    }

    /// Passes a command of ethtool, which begins with its number and is as long as that says.
    pub(crate) fn ethtool<T>(&self, command: &mut T) -> Option<()> {
        let ifru_data = std::ptr::from_mut(command).cast();
        self.ioctl(SIOCETHTOOL, libc::__c_anonymous_ifr_ifru { ifru_data })
            .map(|_| ())
    }

    fn ioctl(
        &self,
        number: libc::c_ulong,
        ifr_ifru: libc::__c_anonymous_ifr_ifru,
    ) -> Option<libc::ifreq> {
        let mut request = libc::ifreq {
            ifr_name: self.name,
            ifr_ifru,
        };
        // SAFETY: both requests read and write an ifreq, and SIOCETHTOOL also the command that
        // its `ifru_data` points to, which `ethtool` keeps alive and which has the kernel's size.
        let done = unsafe { libc::ioctl(self.socket.as_raw_fd(), number, &raw mut request) };
        (done == 0).then_some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_have_the_kernel_s_sizes() {
        assert_eq!(size_of::<DriverInfo>(), 196);
        assert_eq!(size_of::<Channels>(), 36);
    }

    #[test]
    fn loopback_is_there_and_nonsense_is_not() {
        let loopback = Interface::find("lo").unwrap();
        assert_eq!(loopback.name(), "lo");
        assert!(loopback.index() > 0 && loopback.mtu() >= 1280 && loopback.queues() == 1);
        let error = Interface::find("no-such0").unwrap_err();
        assert!(
            error.to_string().starts_with("no interface no-such0 here"),
            "{error}"
        );
        assert!(Interface::find("a-name-that-is-too-long-for-one").is_err());
    }
}
