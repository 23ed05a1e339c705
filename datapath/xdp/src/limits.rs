//! The bounds of every loop and wait, and the sizes that they follow from.

use std::time::Duration;

/// Room for the driver and XDP programs before the bytes of every frame (XDP_PACKET_HEADROOM).
pub(crate) const HEADROOM: usize = 256;

/// Most slots that one frame may take: so many of 2 KiB hold a packet of 9,000 bytes.
pub(crate) const MAX_SLOTS: usize = 6;

/// The shortest frame there is: an Ethernet header.
pub(crate) const MIN_FRAME: u32 = 14;

/// Most frames that one `receive` takes: enough to overlap cache misses, few enough for the L1.
pub(crate) const BATCH: usize = 64;

/// Most kicks of one flush. In copy mode the kernel sends 32 frames a kick, so this is a full
/// default ring.
pub(crate) const MAX_KICKS: usize = 64;

/// A device that nobody kicks would never learn that its interface is gone: it asks this often.
pub(crate) const FLUSHES_PER_CHECK: u32 = 1024;

/// How long to sleep at most while frames wait to be sent.
pub(crate) const SEND_RETRY: Duration = Duration::from_millis(1);

/// The first pause before a queue that is taken is tried again; each next one is twice as long.
pub(crate) const FIRST_BIND_RETRY: Duration = Duration::from_millis(1);

/// The longest such pause.
pub(crate) const LONGEST_BIND_RETRY: Duration = Duration::from_millis(50);
