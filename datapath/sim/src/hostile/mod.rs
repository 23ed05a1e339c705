//! What a hostile peer costs, in instructions and in blocks, beside a clean one.
//!
//! Every [`Kind`] is a way to be hostile, or clean: a connection is prepared, and then segments of
//! that kind come, each in a turn of its own, so that all that it causes is paid for by it. One ACK
//! may let a window go, so what a segment costs is told for each segment that came or went.
//! Instructions are counted by callgrind: [`play`] is what runs under it, [`measure`] runs it.

mod callgrind;
mod flood;
mod scene;
mod sender;
mod text;

pub use callgrind::{Cost, measure, table};
pub use scene::Scene;

use std::time::Duration;

use wirepath_tcp::config::Config;
use wirepath_tcp::limits;
use wirepath_wire::tcp::{Options, Timestamps, WindowScale};

/// No segment may cost more than a clean one times this.
pub const MOST_TIMES: f64 = 10.0;

/// Most blocks that one connection may hold.
pub const MOST_BLOCKS: usize = limits::CONNECTION_BLOCKS;

/// Most unfinished handshakes that the host keeps.
pub const MOST_HALF_OPEN: usize = 256;

/// What the service does that is attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It sends as much as it can: peers send ACKs.
    Source,
    /// It reads all there is: peers send text.
    Sink,
    /// It reads nothing.
    Deaf,
}

/// A kind of segments.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// The name of the clean kind that it is compared with.
    pub beside: &'static str,
    service: Service,
    config: fn(&mut Config),
    /// Options of the SYN.
    syn: fn(&mut Options),
    /// Before the first of them.
    prepare: fn(&mut Scene),
    /// The frame of each.
    strike: fn(&mut Scene, u32) -> Vec<u8>,
    /// Time between two of them.
    pause: Duration,
    /// How many there are.
    segments: u32,
}

/// Clean text in order; for all that goes to a service that receives.
const CLEAN_TEXT: Kind = Kind {
    name: "clean text",
    beside: "clean text",
    service: Service::Sink,
    config: |_| {},
    syn: |_| {},
    prepare: |_| {},
    strike: |scene, _| scene.text_in_order(1_448),
    pause: Duration::from_micros(100),
    segments: 512,
};

const CLEAN_ACK_NAME: &str = "clean ACK";

/// Clean ACKs of one full segment, after which there is nothing more to send: the cheapest that
/// there are. For all that goes to a service that sends.
const CLEAN_ACK: Kind = Kind {
    name: CLEAN_ACK_NAME,
    prepare: |scene| {
        scene.fill_path();
        scene.fall_silent();
    },
    ..BULK_ACK
};

/// Clean ACKs of one full segment, each of which lets the next one go.
const BULK_ACK: Kind = Kind {
    name: "clean ACK that lets a segment go",
    beside: CLEAN_ACK_NAME,
    service: Service::Source,
    prepare: Scene::fill_path,
    strike: |scene, _| scene.ack_one(),
    ..CLEAN_TEXT
};

/// Clean ACKs of all that is in flight, each of which lets as much go.
const CLEAN_ACK_OF_ALL: Kind = Kind {
    name: "clean ACK of all",
    strike: |scene, _| scene.ack_all(),
    segments: 4,
    ..BULK_ACK
};

/// Clean ACKs that come so late that the retransmission timer has expired meanwhile.
const CLEAN_ACK_TOO_LATE: Kind = Kind {
    name: CLEAN_ACK_TOO_LATE_NAME,
    beside: CLEAN_ACK_TOO_LATE_NAME,
    pause: Duration::from_secs(1),
    segments: 16,
    ..BULK_ACK
};

const CLEAN_ACK_TOO_LATE_NAME: &str = "clean ACK after time-outs";

impl Kind {
    /// All kinds, the clean ones first.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        const CLEAN: [Kind; 5] = [
            CLEAN_TEXT,
            CLEAN_ACK,
            BULK_ACK,
            CLEAN_ACK_OF_ALL,
            CLEAN_ACK_TOO_LATE,
        ];
        let hostile = [&sender::KINDS[..], &text::KINDS, &flood::KINDS];
        CLEAN.iter().chain(hostile.into_iter().flatten())
    }
}

/// What came of a kind, but for its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Held {
    /// Segments in flight to the peer before the first of its own.
    pub in_flight: u32,
    /// Segments sent for each of them.
    pub sent: f64,
    /// Most blocks in use at a time.
    pub blocks: usize,
    /// Most unfinished handshakes at a time.
    pub half_open: usize,
}

/// Plays one kind.
#[must_use]
pub fn play(kind: &Kind) -> Held {
    let mut scene = Scene::new(kind);
    (kind.prepare)(&mut scene);
    scene.held = Held {
        in_flight: scene.segments(),
        ..Held::default()
    };
    for number in 0..kind.segments {
        scene.pass(kind.pause);
        let frame = (kind.strike)(&mut scene, number);
        scene.strike(&frame);
    }
    callgrind::end_of_kind();
    scene.held.sent /= f64::from(kind.segments);
    scene.held
}

/// The options of a usual SYN.
fn syn_options() -> Options {
    Options {
        mss: Some(1_460),
        window_scale: Some(WindowScale::clamped(7)),
        sack_permitted: true,
        timestamps: Some(Timestamps {
            value: scene::TS_START,
            echo: 0,
        }),
        ..Options::default()
    }
}
