//! What is said of flows and listeners over the API, as JSON.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use wirepath_apps::{Role, Service};
use wirepath_stack::worker::FlowInfo;
use wirepath_tcp::Timer as TcpTimer;
use wirepath_tcp::connection::Info;
use wirepath_tcp::state::State;
use wirepath_tcp::time::Instant;

use crate::runtime::{ListenerInfo, PoolNumbers};

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
    /// The timer that fires next, if any is armed.
    pub timer: Option<Timer>,
    /// More, where there is a whole connection.
    pub details: Option<Details>,
}

/// What `ss -o` adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// What for, in the words of ss(8) where it has one.
    pub name: String,
    /// In how many milliseconds.
    pub expires_ms: u64,
    /// How often it has fired in a row for the same bytes.
    pub retries: u8,
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
    /// Largest packet that the path is taken to carry, in bytes.
    pub path_mtu: u32,
    /// cwnd in bytes.
    pub cwnd: u32,
    /// ssthresh in bytes, once there was a loss.
    pub ssthresh: Option<u32>,
    /// SND.WND in bytes.
    pub snd_wnd: u32,
    /// RCV.WND in bytes.
    pub rcv_wnd: u32,
    /// Bytes never sent, FIN included.
    pub unsent: u32,
    /// Bytes in the network, as far as is known.
    pub in_flight: u32,
    /// Bytes that the peer has beyond the cumulative ACK, by SACK.
    pub sacked: u32,
    /// Bytes that count as lost and were not sent again since, with SACK.
    pub lost: u32,
    /// Microseconds that RACK waits for segments that were overtaken, once some were.
    pub reordering_window_us: Option<u32>,
    /// Bytes per second that arrived lately, with SACK.
    pub delivery_rate: Option<u64>,
    /// Whether the application, not the network, sets that rate.
    pub app_limited: bool,
    /// Bytes per second that may leave, where it is paced.
    pub pacing_rate: Option<u64>,
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

/// Some flows, and where the others are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowPage {
    /// Those that pass the filter: fewer than the limit, even none, while there may be more.
    pub flows: Vec<Flow>,
    /// What to ask for as `after`; absent at the end.
    pub next: Option<String>,
}

/// By what flows are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// Bytes received and acknowledged so far.
    #[default]
    Bytes,
    /// Bytes not acknowledged by the peer.
    SendQueue,
    /// SRTT.
    Srtt,
    /// Segments sent again.
    Retransmissions,
}

impl Rank {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Bytes,
        Self::SendQueue,
        Self::Srtt,
        Self::Retransmissions,
    ];

    /// The name in requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::SendQueue => "send_queue",
            Self::Srtt => "srtt",
            Self::Retransmissions => "retransmissions",
        }
    }

    /// Where a connection stands.
    #[must_use]
    pub fn of(self, info: &Info) -> u64 {
        match self {
            Self::Bytes => info.bytes_received.saturating_add(info.bytes_acked),
            Self::SendQueue => info.send_queue.into(),
            Self::Srtt => info.srtt.into(),
            Self::Retransmissions => info.retransmissions,
        }
    }
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Where it listens.
    pub endpoint: SocketAddr,
    /// Name of the service that answers there.
    pub service: String,
    /// Whether it accepts no more, and waits for its connections to end.
    pub closing: bool,
    /// Connections and handshakes that it has now.
    pub held: usize,
    /// Connections that it has opened since it began to listen.
    pub opened: u64,
    /// Bytes of text that came on them in order.
    pub text_in: u64,
    /// Bytes of text that their peers have acknowledged.
    pub text_out: u64,
}

/// A listener that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewListener {
    /// Where to listen.
    pub endpoint: SocketAddr,
    /// Name of the service that is to answer there: echo, discard, chargen or proxy.
    pub service: String,
    /// Name of the pool that a proxy passes connections on to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
}

/// Why a request was not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong, in a sentence.
    pub error: String,
}

impl Flow {
    /// A flow at `now` of its worker.
    #[must_use]
    pub fn of(flow: &FlowInfo, now: Instant) -> Self {
        let info = flow.info.as_ref();
        Self {
            state: flow.state.name().to_owned(),
            local: flow.tuple.local.into(),
            remote: flow.tuple.remote.into(),
            recv_queue: info.map_or(0, |info| info.recv_queue),
            send_queue: info.map_or(0, |info| info.send_queue),
            timer: Timer::of(flow, now),
            details: info.map(Details::from),
        }
    }
}

impl Timer {
    fn of(flow: &FlowInfo, now: Instant) -> Option<Self> {
        let short_lived = || {
            let timer = if flow.state == State::TimeWait {
                TcpTimer::Linger
            } else {
                TcpTimer::Retransmit
            };
            Some((timer, flow.deadline?))
        };
        let (timer, deadline) = flow.info.map_or_else(short_lived, |info| info.timer)?;
        Some(Self {
            name: timer.name().to_owned(),
            expires_ms: u64::try_from(deadline.since(now).as_millis()).unwrap_or(u64::MAX),
            retries: flow.info.map_or(0, |info| info.retries),
        })
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
            path_mtu: info.path_mtu,
            cwnd: info.cwnd,
            ssthresh: info.ssthresh,
            snd_wnd: info.snd_wnd,
            rcv_wnd: info.rcv_wnd,
            unsent: info.unsent,
            in_flight: info.in_flight,
            sacked: info.sacked,
            lost: info.lost,
            reordering_window_us: info.reordering_window,
            delivery_rate: info.delivery_rate,
            app_limited: info.app_limited,
            pacing_rate: info.pacing_rate,
            bytes_acked: info.bytes_acked,
            bytes_received: info.bytes_received,
            segments_out: info.segments_out,
            segments_in: info.segments_in,
            retransmissions: info.retransmissions,
        }
    }
}

impl From<&ListenerInfo> for Listener {
    fn from(info: &ListenerInfo) -> Self {
        Self {
            endpoint: info.endpoint,
            service: info.role.name().to_owned(),
            closing: info.closing,
            held: info.tally.held,
            opened: info.tally.opened,
            text_in: info.tally.text_in,
            text_out: info.tally.text_out,
        }
    }
}

impl NewListener {
    /// What it asks for, where pools have these numbers; if not, what is wrong with it.
    ///
    /// # Errors
    /// There is no such service, or no such pool.
    pub fn role(&self, numbers: &PoolNumbers) -> Result<Role, String> {
        let mut services = Service::ALL.into_iter();
        let standard = services.find(|service| service.name() == self.service);
        match (standard, self.service.as_str(), &self.pool) {
            (Some(service), _, None) => Ok(Role::Service(service)),
            (Some(_), name, Some(_)) => Err(format!("{name} has no pool, only proxy has")),
            (None, "proxy", None) => Err("proxy wants the name of a pool".to_owned()),
            (None, "proxy", Some(pool)) => {
                let number = numbers.find(pool).map(Role::Proxy);
                number.ok_or_else(|| format!("there is no pool {pool:?}"))
            }
            (None, name, _) => Err(format!("there is no service {name:?}")),
        }
    }
}
