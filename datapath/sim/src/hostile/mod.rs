//! What a hostile peer costs, in instructions and in blocks, beside a clean one.
//!
//! Every [`Kind`] is a way to be hostile, or clean: a connection is prepared, and then segments of
//! that kind come, each in a turn of its own, so that all that it causes is paid for by it.
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

/// Segments of each kind.
pub const SEGMENTS: u32 = 512;

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
}

/// Clean text in order; for all that goes to a service that receives.
const CLEAN_TEXT: Kind = Kind {
    name: "clean text",
    service: Service::Sink,
    config: |_| {},
    syn: |_| {},
    prepare: |_| {},
    strike: |scene, _| scene.text_in_order(1_448),
    pause: Duration::from_micros(100),
};

/// Clean ACKs of one full segment, after which there is nothing more to send: the cheapest that
/// there are. For all that goes to a service that sends.
const CLEAN_ACK: Kind = Kind {
    name: "clean ACK",
    prepare: |scene| {
        scene.fill_path();
        scene.fall_silent();
    },
    ..BULK_ACK
};

/// Clean ACKs of one full segment, each of which lets the next one go.
const BULK_ACK: Kind = Kind {
    name: "clean ACK that lets a segment go",
    service: Service::Source,
    prepare: Scene::fill_path,
    strike: |scene, _| scene.ack_one(),
    ..CLEAN_TEXT
};

impl Kind {
    /// All kinds; the first three are clean.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        const CLEAN: [Kind; 3] = [CLEAN_TEXT, CLEAN_ACK, BULK_ACK];
        let hostile = [&sender::KINDS[..], &text::KINDS, &flood::KINDS];
        CLEAN.iter().chain(hostile.into_iter().flatten())
    }

    /// The name of the clean kind that it is compared with.
    #[must_use]
    pub fn beside(&self) -> &'static str {
        match self.service {
            Service::Source => CLEAN_ACK.name,
            Service::Sink | Service::Deaf => CLEAN_TEXT.name,
        }
    }
}

/// What came of a kind, but for its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Segments in flight to the peer before the first of its own.
    pub in_flight: u32,
    /// Segments sent.
    pub sent: u64,
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
    for number in 0..SEGMENTS {
        scene.now = scene.now + kind.pause;
        let frame = (kind.strike)(&mut scene, number);
        scene.strike(&frame);
    }
    callgrind::end_of_kind();
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
