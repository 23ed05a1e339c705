//! Hostile to a service that receives: text out of order, and what pretends to be of the peer.

use wirepath_wire::tcp::{Flags, Header};

use super::scene::TS_START;
use super::{CLEAN_TEXT, Kind, Scene, Service};

/// All of them, each beside clean text.
pub(super) const KINDS: [Kind; 17] = [
    // CVE-2018-5390.
    Kind {
        name: "every other byte, upward",
        strike: |scene, n| byte_at(scene, 1 + 2 * n),
        ..CLEAN_TEXT
    },
    Kind {
        name: "every other byte, downward",
        strike: |scene, n| byte_at(scene, 60_001 - 2 * n),
        ..CLEAN_TEXT
    },
    Kind {
        name: "bytes anywhere",
        strike: |scene, _| {
            let at = 1 + scene.random(60_000);
            byte_at(scene, at)
        },
        ..CLEAN_TEXT
    },
    Kind {
        name: "a byte for every block",
        strike: |scene, n| byte_at(scene, 4_096 * (1 + n % 15) + 2 * (n / 15)),
        ..CLEAN_TEXT
    },
    Kind {
        name: "full segments with a hole before them",
        strike: |scene, n| text_at(scene, 1 + 1_448 * (n % 44), 1_448),
        ..CLEAN_TEXT
    },
    Kind {
        name: "text that is half old",
        strike: |scene, _| {
            scene.seq += 700;
            let mut header = scene.header();
            header.seq = scene.seq + 700u32.wrapping_neg();
            scene.frame(&header, &[0; 1_400])
        },
        ..CLEAN_TEXT
    },
    Kind {
        name: "text that came long ago",
        prepare: |scene| {
            let frame = scene.text_in_order(1_448);
            scene.deliver(&frame);
        },
        strike: |scene, _| text_at(scene, 1_448u32.wrapping_neg(), 1_448),
        ..CLEAN_TEXT
    },
    Kind {
        name: "probes of a closed window",
        service: Service::Deaf,
        prepare: |scene| {
            for _ in 0..64 {
                let frame = scene.text_in_order(1_024);
                scene.deliver(&frame);
            }
        },
        strike: |scene, _| text_at(scene, 0, 1),
        ..CLEAN_TEXT
    },
    Kind {
        name: "text that nobody reads, byte by byte",
        service: Service::Deaf,
        strike: |scene, _| scene.text_in_order(1),
        ..CLEAN_TEXT
    },
    Kind {
        name: "blind RST",
        strike: |scene, n| bare(scene, Flags::RST, 1 + n),
        ..CLEAN_TEXT
    },
    Kind {
        name: "blind SYN",
        strike: |scene, n| bare(scene, Flags::SYN, 1 + n),
        ..CLEAN_TEXT
    },
    Kind {
        name: "blind text, outside of the window",
        strike: |scene, _| {
            let at = (1 << 30) + scene.random(1 << 30);
            text_at(scene, at, 1_448)
        },
        ..CLEAN_TEXT
    },
    Kind {
        name: "blind text, with an ACK that cannot be",
        strike: |scene, _| {
            let mut header = scene.header();
            header.ack = scene.ack + ((1 << 30) + scene.random(1 << 30));
            scene.frame(&header, &[0; 1_448])
        },
        ..CLEAN_TEXT
    },
    Kind {
        name: "urgent pointers",
        strike: |scene, n| {
            let header = Header {
                flags: Flags::ACK | Flags::URG,
                urgent: (n * 127) as u16,
                ..scene.header()
            };
            scene.seq += 1;
            scene.frame(&header, &[0])
        },
        ..CLEAN_TEXT
    },
    Kind {
        name: "options without a meaning",
        strike: |scene, n| {
            let header = scene.header();
            let garbage = [[1; 40], [254; 40], [5; 40], [2; 40]][n as usize % 4];
            scene.frame_with_options(&header, &garbage)
        },
        ..CLEAN_TEXT
    },
    // PAWS.
    Kind {
        name: "old timestamps",
        strike: |scene, n| {
            let mut header = scene.header();
            let old = header.options.timestamps.as_mut();
            old.into_iter().for_each(|old| old.value = TS_START - n);
            scene.frame(&header, &[0; 1_448])
        },
        ..CLEAN_TEXT
    },
    Kind {
        name: "a FIN ahead of its text",
        strike: |scene, n| {
            let mut header = scene.header();
            header.flags |= Flags::FIN;
            header.seq = scene.seq + (1 + n);
            scene.frame(&header, &[])
        },
        ..CLEAN_TEXT
    },
];

fn text_at(scene: &Scene, at: u32, len: usize) -> Vec<u8> {
    let mut header = scene.header();
    header.seq = scene.seq + at;
    scene.frame(&header, &vec![0; len])
}

fn byte_at(scene: &Scene, at: u32) -> Vec<u8> {
    text_at(scene, at, 1)
}

/// A segment without text, ACK and options, inside of the window.
fn bare(scene: &Scene, flags: Flags, at: u32) -> Vec<u8> {
    let header = Header {
        seq: scene.seq + at,
        flags,
        ..Header::default()
    };
    scene.frame(&header, &[])
}
