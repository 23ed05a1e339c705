//! What is said over the API, as JSON.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use wirepath_stack::counters::Counters;
use wirepath_stack::worker::{FlowInfo, Holdings};
use wirepath_tcp::connection::Info;
use wirepath_tcp::state::State;

use crate::runtime::{ControlPlane, Snapshot};

/// A flow, as a line of `ss`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Its state, named as in RFC 9293 3.3.2.
    pub state: String,
    /// The end at the server.
    pub local: SocketAddr,
    /// The end at the peer.
    pub remote: SocketAddr,
    /// Bytes in order that the application has not taken.
    pub recv_queue: u32,
    /// Bytes not acknowledged by the peer.
    pub send_queue: u32,
    /// More, where there is a whole connection.
    pub details: Option<Details>,
}

/// What `ss -i` adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Name of the congestion control.
    pub congestion: String,
    /// Phase of the loss recovery.
    pub recovery: String,
    /// Whether timestamps are in use.
    pub timestamps: bool,
    /// Whether SACK is in use.
    pub sack: bool,
    /// Shift of the peer's windows, and of ours.
    pub window_scale: (u8, u8),
    /// RTO in microseconds.
    pub rto_us: u32,
    /// SRTT in microseconds, 0 before the first sample.
    pub srtt_us: u32,
    /// RTTVAR in microseconds.
    pub rttvar_us: u32,
    /// Least round-trip time seen, in microseconds.
    pub min_rtt_us: Option<u32>,
    /// Effective send MSS in bytes.
    pub smss: u16,
    /// cwnd in bytes.
    pub cwnd: u32,
    /// ssthresh in bytes, once there was a loss.
    pub ssthresh: Option<u32>,
    /// SND.WND in bytes.
    pub snd_wnd: u32,
    /// RCV.WND in bytes.
    pub rcv_wnd: u32,
    /// Bytes of text acknowledged by the peer.
    pub bytes_acked: u64,
    /// Bytes of text received in order.
    pub bytes_received: u64,
    /// Segments sent.
    pub segments_out: u64,
    /// Segments received.
    pub segments_in: u64,
    /// Segments sent again.
    pub retransmissions: u64,
}

/// What a server counted since it started, and holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Counters of all workers together, by name.
    pub counters: BTreeMap<String, u64>,
    /// Frames and segments dropped, by reason.
    pub drops: BTreeMap<String, u64>,
    /// Connections that entered each state.
    pub states_entered: BTreeMap<String, u64>,
    /// Frames by what the XDP program did with them.
    pub steering: BTreeMap<String, u64>,
    /// Whole connections now.
    pub open: usize,
    /// Unfinished handshakes now.
    pub half_open: usize,
    /// Connections in TIME-WAIT now.
    pub time_wait: usize,
    /// Blocks of text in use now.
    pub blocks: usize,
    /// Connections that the directory of several workers knows now.
    pub known_connections: usize,
    /// Times that a worker was stuck in one turn for a second or more.
    pub stalls: u64,
    /// Whole connections now, and connections established so far, by worker.
    pub workers: Vec<WorkerStats>,
    /// Whether all frames are accounted for.
    pub frames_balance: bool,
}

/// What one worker has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStats {
    /// The queues that it owns.
    pub queues: Vec<u32>,
    /// Whole connections now.
    pub open: usize,
    /// Connections established since it started.
    pub opened: u64,
    /// Frames that it has handed over to others.
    pub handed_over: u64,
    /// Frames that others have handed over to it.
    pub taken_over: u64,
}

impl From<&FlowInfo> for Flow {
    fn from(flow: &FlowInfo) -> Self {
        Self {
            state: flow.state.name().to_owned(),
            local: flow.tuple.local.into(),
            remote: flow.tuple.remote.into(),
            recv_queue: flow.info.map_or(0, |info| info.recv_queue),
            send_queue: flow.info.map_or(0, |info| info.send_queue),
            details: flow.info.as_ref().map(Details::from),
        }
    }
}

impl From<&Info> for Details {
    fn from(info: &Info) -> Self {
        Self {
            congestion: info.congestion.to_owned(),
            recovery: info.recovery.to_owned(),
            timestamps: info.timestamps,
            sack: info.sack,
            window_scale: info.window_scale,
            rto_us: info.rto,
            srtt_us: info.srtt,
            rttvar_us: info.rttvar,
            min_rtt_us: info.min_rtt,
            smss: info.smss,
            cwnd: info.cwnd,
            ssthresh: info.ssthresh,
            snd_wnd: info.snd_wnd,
            rcv_wnd: info.rcv_wnd,
            bytes_acked: info.bytes_acked,
            bytes_received: info.bytes_received,
            segments_out: info.segments_out,
            segments_in: info.segments_in,
            retransmissions: info.retransmissions,
        }
    }
}

impl Stats {
    /// All workers together, and what the control plane knows.
    #[must_use]
    pub fn of(
        plane: &ControlPlane,
        snapshots: &[Snapshot],
        steering: &BTreeMap<&'static str, u64>,
    ) -> Self {
        let mut counters = Counters::default();
        let mut holdings = Holdings::default();
        for snapshot in snapshots {
            counters.add(&snapshot.counters);
            holdings.add(&snapshot.holdings);
        }
        let owned = |(name, count): (&str, u64)| (name.to_owned(), count);
        let plain = counters
            .table()
            .into_iter()
            .map(|(name, _, count)| (name, count));
        let states = State::ALL.iter().zip(counters.entered);
        Self {
            counters: plain.map(owned).collect(),
            drops: counters
                .drops()
                .filter(|&(_, count)| count > 0)
                .map(owned)
                .collect(),
            states_entered: states
                .map(|(state, count)| owned((state.name(), count)))
                .collect(),
            steering: steering
                .iter()
                .map(|(&name, &count)| owned((name, count)))
                .collect(),
            open: holdings.open,
            half_open: holdings.half_open,
            time_wait: holdings.time_wait,
            blocks: holdings.blocks,
            known_connections: plane.known_connections(),
            stalls: plane.stalls(),
            workers: plane
                .workers()
                .iter()
                .zip(snapshots)
                .map(|(worker, snapshot)| WorkerStats {
                    queues: worker.queues().to_vec(),
                    open: snapshot.holdings.open,
                    opened: snapshot.counters.opened,
                    handed_over: snapshot.counters.handed_over,
                    taken_over: snapshot.counters.taken_over,
                })
                .collect(),
            frames_balance: snapshots.iter().all(|snapshot| snapshot.frames_balance),
        }
    }
}
