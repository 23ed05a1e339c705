//! Hostile to a service that sends: ACKs, windows and reports of the network.

use std::time::Duration;

use wirepath_wire::icmp::{Cause, Unreachable};

use super::{BULK_ACK, CLEAN_ACK_OF_ALL, CLEAN_ACK_TOO_LATE, Kind, Scene};

const MILLISECOND: Duration = Duration::from_millis(1);

/// All of them, each beside a clean ACK.
pub(super) const KINDS: [Kind; 25] = [
    // CVE-2019-11477 and CVE-2019-11478: blocks of many shapes, with all that cwnd lets go in
    // flight, and then with as many segments as there may be.
    Kind {
        name: "SACK of every other segment, upward",
        strike: |scene, n| sack_segments(scene, [6 * n, 6 * n + 2, 6 * n + 4].map(|at| at + 1)),
        ..BULK_ACK
    },
    Kind {
        name: "SACK of every other segment, downward",
        strike: |scene, n| {
            let top = scene.segments().saturating_sub(6 * n + 8);
            sack_segments(scene, [top + 4, top + 2, top])
        },
        ..BULK_ACK
    },
    Kind {
        name: "SACK of segments anywhere",
        strike: sack_anywhere,
        ..BULK_ACK
    },
    Kind {
        name: "SACK of segments anywhere, 1 ms apart",
        strike: sack_anywhere,
        pause: MILLISECOND,
        ..BULK_ACK
    },
    Kind {
        name: "SACK of segments anywhere, tiny MSS",
        syn: |options| options.mss = Some(8),
        strike: sack_anywhere,
        ..BULK_ACK
    },
    Kind {
        name: "SACK of single bytes",
        strike: |scene, _| {
            let mut block = || {
                let at = i64::from(scene.random(scene.flight()));
                (at, at + 1)
            };
            let blocks = [block(), block(), block()];
            scene.sack(&blocks)
        },
        ..BULK_ACK
    },
    Kind {
        name: "SACK of ever more",
        strike: |scene, n| {
            let len = i64::from(scene.longest);
            scene.sack(&[(len, len * i64::from(n + 2))])
        },
        ..BULK_ACK
    },
    Kind {
        name: "SACK of all but the first, again and again",
        strike: |scene, _| scene.sack(&[(i64::from(scene.longest), i64::from(scene.flight()))]),
        ..BULK_ACK
    },
    Kind {
        name: "SACK of all but the first, tiny MSS",
        syn: |options| options.mss = Some(8),
        strike: |scene, _| scene.sack(&[(i64::from(scene.longest), i64::from(scene.flight()))]),
        ..BULK_ACK
    },
    Kind {
        name: "SACK of what was never sent",
        strike: |scene, _| {
            let far = i64::from(scene.flight()) + 1_000;
            scene.sack(&[(far, far + 10), (-5, -9), (far, -far)])
        },
        ..BULK_ACK
    },
    Kind {
        name: "DSACK",
        strike: |scene, _| scene.sack(&[(-1_448, 0)]),
        ..BULK_ACK
    },
    Kind {
        name: "SACK of the last, and DSACK of what that made go again",
        strike: sack_and_take_back,
        pause: MILLISECOND,
        ..BULK_ACK
    },
    Kind {
        name: "SACK of the last and DSACK, tiny MSS",
        syn: |options| options.mss = Some(8),
        strike: sack_and_take_back,
        pause: MILLISECOND,
        ..BULK_ACK
    },
    Kind {
        name: "ACK of one byte after every time-out, tiny MSS",
        syn: |options| options.mss = Some(8),
        strike: ack_one_byte,
        ..CLEAN_ACK_TOO_LATE
    },
    Kind {
        name: "ACK of all, tiny MSS",
        syn: |options| options.mss = Some(8),
        ..CLEAN_ACK_OF_ALL
    },
    Kind {
        name: "duplicate ACK",
        strike: |scene, _| scene.frame(&scene.header(), &[]),
        ..BULK_ACK
    },
    Kind {
        name: "duplicate ACK without SACK",
        syn: |options| options.sack_permitted = false,
        strike: |scene, _| scene.frame(&scene.header(), &[]),
        ..BULK_ACK
    },
    Kind {
        name: "ACK of one byte",
        strike: ack_one_byte,
        ..BULK_ACK
    },
    Kind {
        name: "ACK of what was never sent",
        strike: |scene, n| {
            let mut header = scene.header();
            header.ack = scene.nxt + (1 + n);
            scene.frame(&header, &[])
        },
        ..BULK_ACK
    },
    // CVE-2019-11479.
    Kind {
        name: "ACK of one segment, tiny MSS",
        syn: |options| options.mss = Some(8),
        ..BULK_ACK
    },
    Kind {
        name: "window 0, 1, 0",
        strike: |scene, n| {
            scene.ack = scene.nxt;
            scene.window = (n % 2) as u16;
            scene.frame(&scene.header(), &[])
        },
        ..BULK_ACK
    },
    Kind {
        name: "packet too big, ever less",
        strike: |scene, n| scene.report(Cause::PacketTooBig { mtu: 1_499 - n }, 0),
        ..BULK_ACK
    },
    Kind {
        name: "packet too big, with a SACK between",
        strike: |scene, n| match n % 2 {
            0 => scene.report(Cause::PacketTooBig { mtu: 1_499 - n }, 0),
            _ => sack_anywhere(scene, n),
        },
        ..BULK_ACK
    },
    Kind {
        name: "packet too big, of nothing in flight",
        strike: |scene, n| {
            let beyond = scene.flight() + 1 + n;
            scene.report(Cause::PacketTooBig { mtu: 600 }, beyond)
        },
        ..BULK_ACK
    },
    Kind {
        name: "host unreachable",
        strike: |scene, _| scene.report(Cause::Unreachable(Unreachable::Host), 0),
        ..BULK_ACK
    },
];

fn ack_one_byte(scene: &mut Scene, _: u32) -> Vec<u8> {
    scene.ack += 1;
    scene.frame(&scene.header(), &[])
}

fn sack_segments(scene: &Scene, segments: [u32; 3]) -> Vec<u8> {
    let len = i64::from(scene.longest);
    let blocks = segments.map(|at| (i64::from(at) * len, i64::from(at + 1) * len));
    scene.sack(&blocks)
}

fn sack_anywhere(scene: &mut Scene, _: u32) -> Vec<u8> {
    let most = scene.segments();
    let segments = [(); 3].map(|()| 1 + scene.random(most.saturating_sub(1)));
    sack_segments(scene, segments)
}

fn sack_and_take_back(scene: &mut Scene, _: u32) -> Vec<u8> {
    match scene.again.pop() {
        Some(block) => scene.duplicate_sack(block),
        None => {
            let end = i64::from(scene.flight());
            scene.sack(&[(end - i64::from(scene.longest), end)])
        }
    }
}
