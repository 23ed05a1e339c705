//! A connection on which nothing is under way: what must be known of it until something is.

use std::time::Duration;

use super::cwnd_use::CwndUse;
use super::ecn::EcnState;
use super::pacing::Pacer;
use super::{CloseReason, Connection, Counts, Liveness, Pending, SoftError};
use crate::config::Config;
use crate::congestion::{Congestion, RestingCongestion};
use crate::negotiated::Negotiated;
use crate::path_mtu::PathMtu;
use crate::rcv::{Rcv, RestingRcv};
use crate::recovery::{Recovery, RestingRecovery};
use crate::rtt::{RestingRtt, RttEstimator};
use crate::snd::{RestingSnd, Snd};
use crate::state::State;
use crate::time::Instant;
use crate::timers::{Timer, Timers};

/// What [`Connection::rest`] keeps. Its settings are to be kept beside it: many have the same.
///
/// The state machine forgets nothing. Of what was learned of the path it keeps what congestion
/// control goes by after an idle time, the round-trip times and the reordering; a rate of delivery,
/// or what could be undone, says nothing after a pause.
#[derive(Debug)]
pub struct Resting {
    passive: bool,
    recovery: RestingRecovery,
    snd: RestingSnd,
    rcv: RestingRcv,
    rtt: RestingRtt,
    congestion: RestingCongestion,
    ecn: EcnState,
    negotiated: Negotiated,
    path: PathMtu,
    heard: Instant,
    spoke: Instant,
    challenged: Instant,
    keep_alive: Instant,
    soft_error: Option<SoftError>,
    counts: Counts,
}

const _: () = assert!(size_of::<Resting>() <= 256);

impl Resting {
    /// When it must be [`resume`](Connection::resume)d at the latest, for its keep-alive.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        (self.keep_alive != Instant::NEVER).then_some(self.keep_alive)
    }
}

impl Connection {
    /// What it becomes when nothing has been under way for a while; `None` when something is or
    /// lately was. Never with BBR, whose model of the path is worth more, nor without SACK.
    #[must_use]
    pub fn rest(&self, now: Instant, patience: Duration) -> Option<Resting> {
        if now < self.silent_at(patience) {
            return None;
        }
        self.resting()
    }

    /// Whether it rests at all, should it be silent.
    #[must_use]
    pub fn may_rest(&self) -> bool {
        self.recovery.has_sack() && self.congestion.rest().is_some()
    }

    /// When it has been silent for `patience`, if nothing comes until then: for an RTO at least,
    /// after which cwnd begins anew in any case (RFC 5681 4.1).
    #[must_use]
    pub fn silent_at(&self, patience: Duration) -> Instant {
        let lately = self.liveness.heard.max(self.liveness.spoke);
        lately + self.rtt.rto().duration().max(patience)
    }

    /// What it becomes if no event, segment, answer or timer but its keep-alive is to come.
    pub(super) fn resting(&self) -> Option<Resting> {
        let Liveness {
            heard,
            spoke,
            challenged,
            unanswered,
            stalled,
            probes,
            retries,
        } = self.liveness;
        let is_at_rest = self.state == State::Established
            && self.pending.is_empty()
            && self.timers.is_none_but(Timer::KeepAlive)
            && (unanswered, stalled) == (Instant::NEVER, Instant::NEVER)
            && (probes, retries) == (0, 0)
            && self.resent_ts.is_none()
            && !self.ecn.owes_before_change();
        if !is_at_rest {
            return None;
        }
        Some(Resting {
            passive: self.passive,
            recovery: self.recovery.rest()?,
            snd: self.snd.rest()?,
            rcv: self.rcv.rest()?,
            rtt: self.rtt.rest()?,
            congestion: self.congestion.rest()?,
            ecn: self.ecn,
            negotiated: self.negotiated,
            path: self.path,
            heard,
            spoke,
            challenged,
            keep_alive: self.timers.deadline(Timer::KeepAlive),
            soft_error: self.soft_error,
            counts: self.counts,
        })
    }

    /// The connection again; `config` is what it had.
    #[must_use]
    pub fn resume(resting: &Resting, config: &Config) -> Self {
        let una = resting.snd.una();
        let sack = resting.negotiated.sack;
        let mut timers = Timers::default();
        timers.arm(Timer::KeepAlive, resting.keep_alive);
        Self {
            state: State::Established,
            passive: resting.passive,
            pending: Pending::empty(),
            close_reason: CloseReason::Finished,
            snd: Snd::resume(&resting.snd),
            rcv: Rcv::resume(&resting.rcv),
            rtt: RttEstimator::resume(config, &resting.rtt),
            recovery: Recovery::resume(una, config.recovery, resting.recovery),
            congestion: Congestion::resume(config, sack, &resting.congestion),
            ecn: resting.ecn,
            cwnd_use: CwndUse::new(una),
            pacer: Pacer::default(),
            timers,
            negotiated: resting.negotiated,
            path: resting.path,
            resent_ts: None,
            soft_error: resting.soft_error,
            liveness: Liveness {
                heard: resting.heard,
                spoke: resting.spoke,
                challenged: resting.challenged,
                ..Liveness::new(resting.heard)
            },
            config: *config,
            counts: resting.counts,
        }
    }
}
