//! One worker among several: connections are of one worker for life, and frames that the network
//! card gave to another are handed over.

use wirepath_device::Device;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use super::Worker;
use super::ingress::Raw;
use crate::app::App;
use crate::limits::{HANDED_PER_TURN, TOLD_PER_TURN};
use crate::link::InterfaceId;
use crate::peers::{Claim, Peers, WorkerId};
use crate::rss::Rss;

/// The way to the other workers, and room for a frame of theirs.
pub(super) struct Together {
    peers: Box<dyn Peers>,
    /// Which worker it is, and of how many.
    seat: (WorkerId, u8),
    /// Frames of this turn that all the others were told of.
    told: usize,
    /// How the card of each interface deals frames out to the workers, where that is known.
    rss: Vec<Option<Rss>>,
    /// Taken out while a frame in it is processed.
    buffer: Vec<u8>,
}

impl Together {
    /// Whether the peer's segments, which come by `interface`, come to this worker; where nobody
    /// knows, they might.
    pub(super) fn brings_home(&self, interface: InterfaceId, tuple: &Tuple) -> bool {
        let rss = self.rss.get(usize::from(interface.0));
        let rss = rss.and_then(Option::as_ref);
        rss.is_none_or(|rss| rss.brings_home(tuple))
    }
}

impl<D: Device, A: App> Worker<D, A> {
    /// Makes it one of several, the `seat` of so many, after it was given its devices and before
    /// it has connections. By the `rss` of an interface, active opens choose ports whose replies
    /// come to it.
    pub fn join(&mut self, peers: Box<dyn Peers>, seat: (WorkerId, u8), rss: Vec<Option<Rss>>) {
        let (me, of) = seat;
        self.source_ports.share(me, of);
        let devices = self.ports.iter().map(|port| port.device.capabilities());
        let longest = devices.map(|device| device.longest_frame()).max();
        let longest = longest.unwrap_or_default();
        self.together = Some(Together {
            peers,
            seat,
            told: 0,
            rss,
            buffer: vec![0; longest],
        });
    }

    /// Makes the connection of `tuple` this worker's. Whether it is: another worker may have
    /// accepted the same SYN this very moment.
    pub(super) fn claim(&mut self, tuple: &Tuple) -> bool {
        let Some(together) = &mut self.together else {
            return true;
        };
        match together.peers.claim(self.flows.key(tuple)) {
            Claim::Own => true,
            Claim::Full => {
                self.counters.directory_full += 1;
                true
            }
            Claim::Of(_) => {
                self.counters.drop_claimed += 1;
                false
            }
        }
    }

    /// The connection of `tuple` is over.
    pub(super) fn disown(&mut self, tuple: &Tuple) {
        if let Some(together) = &mut self.together {
            together.peers.release(self.flows.key(tuple));
        }
    }

    /// Hands a frame that belongs to no flow here to the worker whose flow it is. Whether there is
    /// one. What was handed over goes no further.
    pub(super) fn hand_over(&mut self, tuple: &Tuple, raw: Raw<'_>) -> bool {
        let from = self.ports[raw.port].interface;
        let Some(together) = self.together.as_mut().filter(|_| !raw.handed) else {
            return false;
        };
        let Some(owner) = together.peers.owner(self.flows.key(tuple)) else {
            return false;
        };
        if together.peers.hand_over(owner, from, raw.bytes) {
            self.counters.handed_over += 1;
        } else {
            self.counters.drop_hand_over_full += 1;
        }
        true
    }

    /// Hands a frame that may concern any worker to all the others, a few in each turn. Whether
    /// there are others. What was handed over goes no further.
    pub(super) fn tell_others(&mut self, raw: Raw<'_>) -> bool {
        let from = self.ports[raw.port].interface;
        let Some(together) = self.together.as_mut().filter(|_| !raw.handed) else {
            return false;
        };
        together.told += 1;
        if together.told > TOLD_PER_TURN {
            self.counters.drop_hand_over_full += 1;
            return true;
        }
        let (me, of) = together.seat;
        for other in (0..of).map(WorkerId).filter(|other| *other != me) {
            if together.peers.hand_over(other, from, raw.bytes) {
                self.counters.handed_over += 1;
            } else {
                self.counters.drop_hand_over_full += 1;
            }
        }
        true
    }

    /// Processes what other workers have handed over, so much at a time; returns how many frames.
    pub(super) fn receive_handed(&mut self, now: Instant) -> usize {
        if let Some(together) = &mut self.together {
            together.told = 0;
        }
        for received in 0..HANDED_PER_TURN {
            let Some(together) = &mut self.together else {
                return 0;
            };
            let mut buffer = std::mem::take(&mut together.buffer);
            let taken = together.peers.take(&mut buffer);
            if let Some((from, len)) = taken
                && let Some(bytes) = buffer.get(..len)
            {
                self.counters.taken_over += 1;
                self.receive_handed_one(now, from, bytes);
            }
            if let Some(together) = &mut self.together {
                together.buffer = buffer;
            }
            if taken.is_none() {
                return received;
            }
        }
        HANDED_PER_TURN
    }

    /// Any device of the interface answers.
    fn receive_handed_one(&mut self, now: Instant, from: InterfaceId, bytes: &[u8]) {
        match self.device_on(from) {
            Some(device) => self.receive_one(now, Raw::handed(device, bytes)),
            None => self.counters.drop_not_ours += 1,
        }
    }
}
