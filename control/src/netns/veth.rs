//! Links between namespaces.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Error, Namespace};

/// Where the indices of our interfaces begin, well above those that the kernel gives.
static NEXT_INDEX: AtomicU32 = AtomicU32::new(100);

/// How long a link may take to carry frames. It takes a few milliseconds.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// Whether the kernel may leave work to a device that a veth pair does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offloads {
    /// Checksums are whole and segments fit the MTU, as on a wire.
    Off,
    /// Whatever the kernel chooses: partial checksums, and segments up to 64 KiB.
    KernelDefault,
}

/// What both ends of a link have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Receive queues of each end, and as many transmit queues.
    pub queues: u32,
    /// Largest IP packet, in bytes.
    pub mtu: u32,
    /// What the kernel may leave undone.
    pub offloads: Offloads,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            queues: 1,
            mtu: 1500,
            offloads: Offloads::Off,
        }
    }
}

/// One end of a link: an interface in a namespace.
#[derive(Debug, Clone)]
pub struct End<'a> {
    namespace: &'a Namespace,
    interface: String,
    addresses: Vec<(IpAddr, u8)>,
    mac: Option<[u8; 6]>,
}

impl<'a> End<'a> {
    /// An interface of this name (at most 15 bytes), as yet without addresses.
    pub fn new(namespace: &'a Namespace, interface: &str) -> Self {
        Self {
            namespace,
            interface: interface.to_owned(),
            addresses: Vec::new(),
            mac: None,
        }
    }

    /// Adds an address, with the length of its subnet's prefix in bits.
    #[must_use]
    pub fn address(mut self, address: impl Into<IpAddr>, prefix: u8) -> Self {
        self.addresses.push((address.into(), prefix));
        self
    }

    /// Sets the MAC address, which is random otherwise.
    #[must_use]
    pub fn mac(mut self, mac: [u8; 6]) -> Self {
        self.mac = Some(mac);
        self
    }

    /// The arguments of `ip link add` that make this end.
    fn arguments(&self, link: &Link) -> String {
        let (interface, namespace, mtu) = (&self.interface, self.namespace.name(), link.mtu);
        // Where both ends have the same index, the kernel does not see that they are a pair, and
        // lets up to a second pass before it tells IPv6 that the link is up.
        let index = NEXT_INDEX.fetch_add(1, Ordering::Relaxed);
        let mut text = format!("name {interface} index {index} netns {namespace} mtu {mtu}");
        let _ = write!(text, " numrxqueues {0} numtxqueues {0}", link.queues);
        if let Some([a, b, c, d, e, f]) = self.mac {
            let _ = write!(
                text,
                " address {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"
            );
        }
        text
    }

    fn configure(&self, link: &Link) -> Result<(), Error> {
        let interface = self.interface.as_str();
        if link.offloads == Offloads::Off {
            let features = ["tx", "off", "tso", "off", "gso", "off", "gro", "off"];
            let mut arguments = vec!["-K", interface];
            arguments.extend(features);
            self.namespace.tool("ethtool", &arguments)?;
        }
        for (address, prefix) in &self.addresses {
            let subnet = format!("{address}/{prefix}");
            self.namespace
                .ip(&["address", "add", &subnet, "dev", interface])?;
        }
        self.namespace
            .ip(&["link", "set", "dev", interface, "up"])?;
        Ok(())
    }

    /// Whether the first frame will pass. IPv6 is ready when it has made its link-local address.
    fn is_ready(&self) -> Result<bool, Error> {
        let interface = self.interface.as_str();
        let link = self
            .namespace
            .ip(&["-o", "link", "show", "dev", interface])?;
        let wants_ipv6 = self.addresses.iter().any(|(address, _)| address.is_ipv6());
        let local = [
            "-o", "-6", "address", "show", "dev", interface, "scope", "link",
        ];
        Ok(link.contains("state UP") && (!wants_ipv6 || !self.namespace.ip(&local)?.is_empty()))
    }

    fn wait_until_ready(&self) -> Result<(), Error> {
        let deadline = Instant::now() + READY_WITHIN;
        while !self.is_ready()? {
            if Instant::now() > deadline {
                let action = format!("set up {} in {}", self.interface, self.namespace.name());
                return Err(Error::new(action, "the link does not come up"));
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Makes a veth pair with these two ends, sets both up, and returns when it carries frames. It
/// goes when either namespace goes.
///
/// # Errors
/// A name is taken, or the kernel has no veth; the text says which end.
pub fn connect(left: &End<'_>, right: &End<'_>, link: &Link) -> Result<(), Error> {
    let (one, other) = (left.arguments(link), right.arguments(link));
    let arguments = format!("link add {one} type veth peer {other}");
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    left.namespace.ip(&arguments)?;
    left.configure(link)?;
    right.configure(link)?;
    left.wait_until_ready()?;
    right.wait_until_ready()
}
