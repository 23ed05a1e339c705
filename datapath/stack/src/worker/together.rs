//! One worker among several: connections are of one worker for life, and frames that the network
//! card gave to another are handed over.

use wirepath_device::Device;
use wirepath_tcp::time::Instant;
use wirepath_wire::tuple::Tuple;

use super::ingress::Raw;
use super::{Budget, Worker};
use crate::app::App;
use crate::limits::{HANDED_PER_TURN, PASSED_ON_PER_MILLISECOND};
use crate::link::InterfaceId;
use crate::peers::{Claim, Peers, WorkerId};
use crate::rss::Rss;

/// The way to the other workers, and room for a frame of theirs.
pub(super) struct Together {
    peers: Box<dyn Peers>,
    /// Which worker it is, and of how many.
    seat: (WorkerId, u8),
    /// What it may pass on to all the others.
    budget: Budget,
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
            budget: Budget::default(),
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
        let is_taken = together.peers.hand_over(owner, from, raw.bytes);
        self.count_handed(is_taken);
        true
    }

    /// Hands a frame that may concern any worker to all the others, so many a millisecond. Whether
    /// there are others.
    pub(super) fn pass_on(&mut self, raw: Raw<'_>) -> bool {
        let (now, from) = (self.turn_at, self.ports[raw.port].interface);
        let Some(together) = &mut self.together else {
            return false;
        };
        if !together.budget.take(now, PASSED_ON_PER_MILLISECOND) {
            self.counters.drop_pass_on_limit += 1;
            return true;
        }
        let (me, of) = together.seat;
        for other in (0..of).map(WorkerId).filter(|other| *other != me) {
            let Some(together) = &mut self.together else {
                continue;
            };
            let is_taken = together.peers.hand_over(other, from, raw.bytes);
            self.count_handed(is_taken);
        }
        true
    }

    fn count_handed(&mut self, is_taken: bool) {
        if is_taken {
            self.counters.handed_over += 1;
        } else {
            self.counters.drop_hand_over_full += 1;
        }
    }

    /// Processes what other workers have handed over, so much at a time; returns how many frames.
    pub(super) fn receive_handed(&mut self, now: Instant) -> usize {
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
