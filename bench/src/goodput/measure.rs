//! One transfer.

use serde::Serialize;
use wirepath::netns::Network;
use wirepath_tcp::config::CongestionControl;

use super::client::{Span, take};
use super::server::{self, Server, Stack};
use super::wire::{Wire, WireCounts, WireFaults};

/// What to measure.
pub(super) struct Measurement<'a> {
    pub(super) network: &'a Network,
    pub(super) stack: Stack,
    pub(super) congestion: CongestionControl,
    pub(super) faults: WireFaults,
    pub(super) span: Span,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measured {
    /// Bits of text per second that the client read after the warm-up.
    pub(super) goodput: f64,
    /// Bytes that the client read and compared, the warm-up included.
    pub(super) bytes: u64,
    /// Segments that the sender sent again, the warm-up included.
    pub(super) retransmissions: u64,
    /// Where the sender's XDP program ran, if it has one.
    pub(super) xdp_mode: Option<&'static str>,
    /// What the wire did meanwhile.
    pub(super) wire: WireCounts,
}

impl Measurement<'_> {
    /// Lays the wire, starts the server, reads, and takes all away again.
    ///
    /// # Errors
    /// Any of these did not work.
    pub(super) fn run(&self) -> anyhow::Result<Measured> {
        let Network {
            client,
            middle,
            server: host,
        } = self.network;
        let middle = middle.as_ref().expect("a network with a gap has a middle");
        let wire = Wire::start(middle, &self.faults)?;
        let server = Server::start(self.stack, host, self.congestion)?;
        let taken = client.run(|| take(server::ADDRESS, self.span))??;
        let xdp_mode = server.xdp_mode();
        // The server may need the wire to hear that its client is gone.
        let retransmissions = server.stop(host)?;
        let wire = wire.stop()?;
        Ok(Measured {
            goodput: taken.goodput,
            bytes: taken.bytes,
            retransmissions,
            xdp_mode,
            wire,
        })
    }
}

impl Measured {
    /// Segments sent again, of all frames that came to the wire from the server, 0 to 1.
    pub(super) fn retransmitted_share(&self) -> f64 {
        self.retransmissions as f64 / self.wire.text.frames.max(1) as f64
    }
}
