//! One connection under fire: any segments, calls and times, mostly near what it expects.
//!
//! The peer is not sane, but true to itself: at each sequence number it always has the same byte.
//! So whatever its segments do, the application gets a part of that one text from its begin on.

mod end;
mod shot;

use arbitrary::{Arbitrary, Unstructured};
use wirepath_tcp::Path;
use wirepath_tcp::config::Config;
use wirepath_tcp::connection::Connection;
use wirepath_tcp::half_open::HalfOpen;
use wirepath_tcp::time::Instant;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::{Flags, Header, UnscaledWindow};

use crate::settings::Settings;
use end::End;
use shot::{IcmpShot, Shot, SynOptions};

/// Our numbers pass 2^32 after 256 bytes, the peer's pass 2^31.
const ISS: SeqNum = SeqNum::new(u32::MAX - 255);
const IRS: SeqNum = SeqNum::new(u32::MAX / 2 - 255);
const TS_OFFSET: u32 = 77;
const PATH: Path = Path {
    mss: 1_460,
    ipv6: false,
};
const START: Instant = Instant::from_millis(1_000_000);
/// Steps of one input.
const MOST_STEPS: usize = 256;

/// How the connection begins.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Open {
    /// A SYN is sent, and the answer is one of the steps.
    Active,
    /// The peer answers the SYN as it should.
    Answered(SynOptions),
    /// The peer opens, as it should.
    Passive(SynOptions),
    /// The peer opens, and its SYN has so much text (RFC 7413).
    Early(SynOptions, u16),
}

#[derive(Debug, Arbitrary)]
enum Step {
    Segment(Shot),
    /// As much as fits of a peer's text, at the right place, so often.
    Stream {
        count: u8,
        len: u16,
    },
    Icmp(IcmpShot),
    Send(u16),
    SendUrgent(u16),
    /// The application begins or ceases to read.
    Reads(bool),
    Read(u16),
    Shutdown,
    Close,
    Abort,
    Configure(Settings),
    Wait(u16),
    /// Until the next timer fires.
    WaitForTimer,
}

/// Takes the bytes as the life of a connection.
pub fn check(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok((settings, open, blocks)) = bytes.arbitrary::<(Settings, Open, u8)>() else {
        return;
    };
    let mut end = begin(settings.config(), open, usize::from(blocks));
    end.rest();
    let Ok(steps) = bytes.arbitrary_iter::<Step>() else {
        return end.finish();
    };
    for step in steps.flatten().take(MOST_STEPS) {
        act(&mut end, &step);
        end.rest();
        if end.is_over() {
            break;
        }
    }
    end.finish();
}

fn begin(config: Config, open: Open, blocks: usize) -> End {
    match open {
        Open::Active => End::new(active(config), blocks),
        Open::Answered(options) => {
            let mut end = End::new(active(config), blocks);
            end.rest();
            let flags = Flags::SYN | Flags::ACK;
            let syn = options.header(IRS, ISS + 1, flags, &end);
            end.take(syn, 0);
            end
        }
        Open::Passive(options) => {
            let half_open = half_open(config, options);
            let syn_ack = half_open.syn_ack(START, &config, PATH);
            let mut end = End::new(half_open.accept(START, config, PATH), blocks);
            let mut ack = Header {
                seq: IRS + 1,
                ack: ISS + 1,
                flags: Flags::ACK,
                window: options.window(),
                ..Header::default()
            };
            end.hear_timestamps(&syn_ack);
            ack.options.timestamps = end.timestamps(0, 0);
            end.take(ack, 0);
            end
        }
        Open::Early(options, len) => {
            let config = Config {
                fast_open: true,
                ..config
            };
            let done = half_open(config, options).handshake();
            End::early((config, PATH), &done, usize::from(len % 1_400), blocks)
        }
    }
}

fn active(config: Config) -> Connection {
    Connection::open(START, config, PATH, ISS, TS_OFFSET)
}

fn half_open(config: Config, options: SynOptions) -> HalfOpen {
    let syn = options.syn(IRS);
    HalfOpen::new(START, &syn, &config, ISS, TS_OFFSET)
}

fn act(end: &mut End, step: &Step) {
    match step {
        Step::Segment(shot) => shot.fire(end),
        Step::Stream { count, len } => {
            for _ in 0..*count % 32 {
                let mut header = Header {
                    seq: end.rcv_nxt(),
                    ack: end.snd_una(),
                    flags: Flags::ACK,
                    window: UnscaledWindow(u16::MAX),
                    ..Header::default()
                };
                header.options.timestamps = end.timestamps(0, 0);
                end.take(header, usize::from(len % 1_461));
            }
        }
        Step::Icmp(shot) => shot.fire(end),
        Step::Send(len) => end.send(usize::from(*len), false),
        Step::SendUrgent(len) => end.send(usize::from(*len), true),
        Step::Reads(reads) => end.reads = *reads,
        Step::Read(most) => end.read(usize::from(*most)),
        Step::Shutdown => end.connection.shutdown(),
        Step::Close => end.close(),
        Step::Abort => end.connection.abort(),
        Step::Configure(settings) => {
            let config = settings.config();
            end.connection.configure(end.now, |there| *there = config);
        }
        Step::Wait(millis) => end.wait(u64::from(*millis)),
        Step::WaitForTimer => end.wait_for_timer(),
    }
}
