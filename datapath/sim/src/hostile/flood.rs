//! Hostile to the host: floods of what belongs to no connection.

use wirepath_tcp::config::SynCookies;
use wirepath_wire::seq::SeqNum;
use wirepath_wire::tcp::Header;
use wirepath_wire::tuple::Tuple;

use super::scene::frame_of;
use super::{CLEAN_TEXT, Kind, Scene};

/// All of them, each beside clean text.
pub(super) const KINDS: [Kind; 8] = [
    Kind {
        name: "SYN, until the table is full and then cookies",
        strike: syn_from_anywhere,
        ..CLEAN_TEXT
    },
    Kind {
        name: "SYN, cookies off",
        config: |config| config.syn_cookies = SynCookies::Off,
        strike: syn_from_anywhere,
        ..CLEAN_TEXT
    },
    Kind {
        name: "SYN, cookies always",
        config: |config| config.syn_cookies = SynCookies::Always,
        strike: syn_from_anywhere,
        ..CLEAN_TEXT
    },
    Kind {
        name: "the same SYN again",
        prepare: |scene| scene.tuple.remote.port += 1,
        strike: |scene, _| {
            let syn = scene.syn(|_| {});
            scene.frame(&syn, &[])
        },
        ..CLEAN_TEXT
    },
    Kind {
        name: "ACK with a forged cookie",
        config: |config| config.syn_cookies = SynCookies::Always,
        strike: |scene, n| {
            let tuple = elsewhere(scene, n);
            let header = Header {
                ack: SeqNum::new(scene.random(u32::MAX)),
                ..scene.header()
            };
            frame_of(&tuple, &header, &[])
        },
        ..CLEAN_TEXT
    },
    Kind {
        name: "SYN to a closed port",
        strike: |scene, n| {
            let mut tuple = elsewhere(scene, n);
            tuple.local.port = 1_000 + n as u16;
            frame_of(&tuple, &scene.syn(|_| {}), &[])
        },
        ..CLEAN_TEXT
    },
    Kind {
        name: "a wrong checksum",
        strike: |scene, _| {
            let mut frame = scene.frame(&scene.header(), &[0; 1_448]);
            frame[100] ^= 1;
            frame
        },
        ..CLEAN_TEXT
    },
    Kind {
        name: "fragments",
        strike: |scene, _| {
            let mut frame = scene.frame(&scene.header(), &[0; 1_448]);
            // More fragments; the checksum of the header follows.
            frame[20] = 0x20;
            frame[24..26].fill(0);
            let sum = wirepath_wire::checksum::Sum::of(&frame[14..34]).checksum();
            frame[24..26].copy_from_slice(&sum.to_be_bytes());
            frame
        },
        ..CLEAN_TEXT
    },
];

/// Another peer each time.
fn elsewhere(scene: &Scene, n: u32) -> Tuple {
    let mut tuple = scene.tuple;
    let [a, b, ..] = n.to_le_bytes();
    tuple.remote.address = [10, 1, b, a].into();
    tuple
}

fn syn_from_anywhere(scene: &mut Scene, n: u32) -> Vec<u8> {
    let tuple = elsewhere(scene, n);
    frame_of(&tuple, &scene.syn(|_| {}), &[])
}
