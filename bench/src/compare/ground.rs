//! Where packets of one size are measured, and who meets there.

use std::time::Duration;

use anyhow::{Context, bail};
use wirepath::netns::Offloads;

use super::suite::{Metric, Rival, Subject, WARM_UP};
use crate::bed::{Bed, ClientKind, Sample};
use crate::contender::{Contender, Passer};
use crate::environment::Environment;
use crate::load::Load;
use crate::reflect::{self, Idle, Pings};
use crate::summary::Summary;

/// The test bed, and beside it the kernel's own with all its offloads, for rivals that have it.
pub(super) struct Ground {
    bed: Bed,
    offloaded: Option<Bed>,
}

impl Ground {
    /// For all of `rivals`; `rps` as [`Bed::steer_packets`] says.
    ///
    /// # Errors
    /// As [`Bed::new`].
    pub(super) fn new(
        mtu: u32,
        rps: bool,
        rivals: &[Rival],
    ) -> anyhow::Result<(Self, Environment)> {
        for passer in rivals.iter().filter_map(|rival| rival.passer()) {
            passer.check()?;
        }
        let (bed, environment) = Bed::new("compare", mtu, 1, Offloads::Off)?;
        let mut offloaded = None;
        if rivals.contains(&Rival::KernelOffloads) {
            offloaded = Some(Bed::new("offloads", mtu, 1, Offloads::KernelDefault)?.0);
        }
        if rps {
            for bed in [Some(&bed), offloaded.as_ref()].into_iter().flatten() {
                bed.steer_packets()?;
            }
        }
        Ok((Self { bed, offloaded }, environment))
    }

    pub(super) fn wirepath(&self, subject: Subject, load: &Load) -> anyhow::Result<Sample> {
        match subject.backend() {
            Some(backend) => self.bed.measure_proxy(Passer::Wirepath, backend, load),
            None => self.bed.measure(Contender::Wirepath, ClientKind::Xdp, load),
        }
    }

    pub(super) fn rival(
        &self,
        rival: Rival,
        subject: Subject,
        load: &Load,
    ) -> anyhow::Result<Sample> {
        if let Some((passer, backend)) = rival.passer().zip(subject.backend()) {
            return self.bed.measure_proxy(passer, backend, load);
        }
        let contender = match rival {
            Rival::Epoll => Contender::Epoll,
            Rival::EpollSpin => Contender::EpollSpin,
            Rival::Uring => Contender::Uring,
            Rival::UringSpin => Contender::UringSpin,
            Rival::Smoltcp => Contender::Smoltcp,
            Rival::Nginx | Rival::Haproxy => bail!("{rival:?} is a proxy"),
            Rival::KernelOffloads => {
                let bed = self.offloaded.as_ref().context("made for others")?;
                return bed.measure(Contender::Epoll, ClientKind::Kernel, load);
            }
            Rival::Reflector => {
                let pings = Pings {
                    in_flight: load.connections,
                    text: load.size as usize,
                    idle: Idle::Spin,
                    warm_up: WARM_UP,
                    span: load.span,
                };
                return Ok(reflect::measure(&self.bed, 0, &pings)?.into_sample(load.span));
            }
        };
        self.bed.measure(contender, ClientKind::Xdp, load)
    }

    /// Messages a second that somebody bears under a load, the median of three.
    pub(super) fn most(
        &self,
        (rival, subject): (Rival, Subject),
        span: Duration,
    ) -> anyhow::Result<f64> {
        let load = subject.load(span, 0.0);
        let mut rates = Vec::new();
        for _ in 0..3 {
            rates.push(Metric::PerSecond.of(&self.rival(rival, subject, &load)?));
        }
        Ok(Summary::of(rates).median)
    }
}
