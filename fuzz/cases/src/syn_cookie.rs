//! SYN cookies: what one carried comes back, and nothing opens that was never given out.

use arbitrary::{Arbitrary, Unstructured};
use wirepath_tcp::Path;
use wirepath_tcp::config::Config;
use wirepath_tcp::isn::Secret;
use wirepath_tcp::state::State;
use wirepath_tcp::syn_cookie;
use wirepath_tcp::time::Instant;
use wirepath_wire::ip::Ecn;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{
    Flags, Header, Options, Segment, Timestamps, UnscaledWindow, WindowScale,
};
use wirepath_wire::tuple::{Endpoint, Tuple};

/// The sizes that a cookie tells apart.
const SIZES: [u16; 8] = [48, 536, 1_220, 1_360, 1_440, 1_460, 4_312, 8_960];
const SLOT_MILLIS: u64 = 64_000;

/// A SYN, the answer to its cookie, and what is wrong with that.
#[derive(Debug, Arbitrary)]
struct Case {
    secret: [u8; 16],
    local: ([u8; 4], u16),
    remote: ([u8; 4], u16),
    ipv6: bool,
    takes_timestamps: bool,
    irs: u32,
    mss: Option<u16>,
    shift: Option<u8>,
    sack_permitted: bool,
    ts_value: Option<u32>,
    offers_ecn: bool,
    at_millis: u32,
    age_millis: u32,
    forgery: Forgery,
}

#[derive(Debug, Arbitrary)]
enum Forgery {
    Nothing,
    Ack(u32),
    Seq(u32),
    Flags(u8),
    Echo(Option<u32>),
    Port(u16),
}

/// Takes the bytes as a SYN and an answer.
pub fn check(data: &[u8]) {
    if let Ok(case) = Case::arbitrary(&mut Unstructured::new(data)) {
        case.check();
    }
}

/// Who asks: one secret, one listener.
struct Server {
    secret: Secret,
    config: Config,
    path: Path,
}

impl Server {
    fn syn_ack(&self, now: Instant, syn: &Header, tuple: &Tuple) -> Header {
        syn_cookie::syn_ack(now, syn, tuple, &self.secret, (&self.config, self.path))
    }

    /// Whether a cookie with this number would have been given out lately for a SYN at `irs`.
    fn gave(&self, now: Instant, iss: SeqNum, irs: SeqNum, tuple: &Tuple) -> bool {
        let slot_before = now.as_millis().checked_sub(SLOT_MILLIS);
        let lately = [Some(now), slot_before.map(Instant::from_millis)];
        lately.into_iter().flatten().any(|at| {
            SIZES.into_iter().any(|size| {
                let mut syn = Header {
                    seq: irs,
                    ..Header::default()
                };
                syn.options.mss = Some(size);
                self.syn_ack(at, &syn, tuple).seq == iss
            })
        })
    }
}

impl Case {
    fn check(&self) {
        let server = Server {
            secret: Secret::new(self.secret),
            config: Config {
                timestamps: self.takes_timestamps,
                ..Config::default()
            },
            path: Path::from_mtu(1_500, self.ipv6),
        };
        let mut tuple = Tuple {
            local: Endpoint::new(self.local.0.into(), self.local.1),
            remote: Endpoint::new(self.remote.0.into(), self.remote.1),
        };
        let syn = self.syn();
        let now = Instant::from_millis(self.at_millis.into());
        let syn_ack = server.syn_ack(now, &syn, &tuple);
        assert_eq!(syn_ack.ack, syn.seq + 1);
        let mut answer = answer_to(&syn, &syn_ack);
        self.forge(&mut answer, &mut tuple);
        let later = Instant::from_millis(u64::from(self.at_millis) + u64::from(self.age_millis));
        let segment = Segment {
            header: answer,
            payload: b"text",
            ecn: Ecn::NotEct,
        };
        let Server { secret, config, .. } = &server;
        let accepted = syn_cookie::accept(later, &segment, &tuple, secret, config);
        let is_ack = segment.has(Flags::ACK) && !answer.flags.intersects(Flags::SYN | Flags::RST);
        let gave = server.gave(later, answer.ack - 1, answer.seq - 1, &tuple);
        assert_eq!(accepted.is_some(), is_ack && gave);
        let Some(half_open) = accepted else { return };
        if matches!(self.forgery, Forgery::Nothing) {
            self.compare(&half_open.handshake().syn, &syn_ack, server.path);
        }
        let mut connection = half_open.accept(later, server.config, server.path);
        let mut pool = wirepath_tcp::buffer::BlockPool::new(0);
        connection.on_segment(later, &segment, &mut pool);
        assert_eq!(connection.check(), Ok(()));
        let is_whole = matches!(self.forgery, Forgery::Nothing);
        assert!(!is_whole || connection.state() == State::Established);
    }

    fn syn(&self) -> Header {
        let offer = Flags::ECE | Flags::CWR;
        let ecn = if self.offers_ecn {
            offer
        } else {
            Flags::empty()
        };
        Header {
            seq: SeqNum::new(self.irs),
            flags: Flags::SYN | ecn,
            window: UnscaledWindow(10_000),
            options: Options {
                mss: self.mss,
                window_scale: self.shift.map(WindowScale::clamped),
                sack_permitted: self.sack_permitted,
                timestamps: self.ts_value.map(|value| Timestamps { value, echo: 0 }),
                ..Options::default()
            },
            ..Header::default()
        }
    }

    fn forge(&self, answer: &mut Header, tuple: &mut Tuple) {
        match self.forgery {
            Forgery::Nothing => {}
            Forgery::Ack(ack) => answer.ack = SeqNum::new(ack),
            Forgery::Seq(seq) => answer.seq = SeqNum::new(seq),
            Forgery::Flags(flags) => answer.flags = Flags::from_bits_retain(flags),
            Forgery::Echo(echo) => {
                answer.options.timestamps = echo.map(|echo| Timestamps { value: 7, echo });
            }
            Forgery::Port(port) => tuple.remote.port = port,
        }
    }

    /// What came back of the SYN: all where there are timestamps, the MSS in any case.
    fn compare(&self, back: &Header, syn_ack: &Header, path: Path) {
        let syn = self.syn();
        let default = if path.ipv6 { 1_220 } else { 536 };
        let mss = syn.options.mss.unwrap_or(default);
        let fitting = SIZES.into_iter().rfind(|size| *size <= mss);
        assert_eq!(back.options.mss, Some(fitting.unwrap_or(SIZES[0])));
        assert_eq!(back.seq, syn.seq);
        if syn_ack.options.timestamps.is_some() {
            assert_eq!(back.options.window_scale, syn.options.window_scale);
            assert_eq!(back.options.sack_permitted, syn.options.sack_permitted);
            assert_eq!(back.flags, syn.flags);
        } else {
            assert_eq!(back.options.window_scale, None);
            assert!(!back.options.sack_permitted);
        }
    }
}

/// The ACK that ends the handshake.
fn answer_to(syn: &Header, syn_ack: &Header) -> Header {
    let timestamps = syn.options.timestamps.zip(syn_ack.options.timestamps);
    Header {
        seq: syn_ack.ack,
        ack: syn_ack.seq + 1,
        flags: Flags::ACK,
        window: UnscaledWindow(1_000),
        options: Options {
            timestamps: timestamps.map(|(theirs, ours)| Timestamps {
                value: theirs.value,
                echo: ours.value,
            }),
            ..Options::default()
        },
        ..Header::default()
    }
}
