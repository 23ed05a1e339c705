//! Frames that take several slots, over a veth pair.

mod lab;

use lab::{ENDS, Port, in_namespace, run, segment, turn_around};
use wirepath_bpf::Mode;
use wirepath_device::{Batch, Device as _, Frame as _, Full};
use wirepath_xdp::{MultiBuffer, Options};

/// Lengths around every border: 3,840 bytes fit a slot of 4 KiB, and 9,018 the MTU and a tag.
const LENGTHS: [usize; 9] = [54, 1514, 3840, 3841, 7680, 7681, 8974, 9014, 9018];

/// A numbered frame of so many bytes, each of them told from its neighbors.
fn frame(end: usize, number: u32, length: usize) -> Vec<u8> {
    let mut frame = segment(ENDS[end].1, ENDS[1 - end].1, number);
    let pattern = (frame.len()..length).map(|at| (at * 7 + at / 251 + number as usize) as u8);
    frame.extend(pattern);
    frame
}

fn set_mtu(mtu: u32) {
    for (name, _) in ENDS {
        run(&format!("ip link set {name} mtu {mtu}"));
    }
}

/// Sends frames of all lengths, which the other end reflects, and compares every byte.
fn exchange(ports: &mut [Port; 2], lengths: &[usize], rounds: u32) {
    let [left, right] = ports;
    for round in 0..rounds {
        for &length in lengths {
            assert!(left.send_bytes(&frame(0, round, length)));
        }
        left.device.flush().unwrap();
        let mut reflected = 0;
        while reflected < lengths.len() {
            let count = right.receive();
            assert!(count > 0, "{reflected} of {} have come", lengths.len());
            reflected += count;
            for mut frame in right.batch.drain() {
                let length = frame.bytes().len();
                turn_around(&mut frame.buffer()[..length]);
                right.device.transmit(frame).unwrap();
            }
            right.device.flush().unwrap();
        }
        let mut lengths = lengths.iter();
        while lengths.len() > 0 {
            assert!(left.receive() > 0, "{} have not come back", lengths.len());
            for received in left.batch.drain() {
                let expected = frame(1, round, *lengths.next().unwrap());
                assert!(received.bytes() == expected, "{} bytes", expected.len());
                left.device.release(received);
            }
        }
        // What it reflected in place comes back to its fill ring.
        right.settle();
        right.device.flush().unwrap();
        assert!(left.device.ledger().balances() && right.device.ledger().balances());
    }
}

fn frames_of_all_lengths_in(mode: Mode, options: Options) {
    in_namespace(move || {
        set_mtu(9000);
        let mut ports = Port::pair(&options, Some(mode));
        assert_eq!(ports[0].device.capabilities().mtu, 9000);
        exchange(&mut ports, &LENGTHS, 300);
        for port in &mut ports {
            port.assert_at_rest(&options);
            let statistics = port.device.statistics().unwrap();
            let lost = statistics.rx_dropped + statistics.rx_ring_full;
            let invalid = statistics.tx_invalid_descs + statistics.rx_invalid_descs;
            assert_eq!((lost, invalid), (0, 0), "{statistics:?}");
            assert_eq!(port.device.take_too_long(), 0);
        }
    });
}

#[test]
fn frames_of_all_lengths_go_and_come_back_in_native_mode() {
    frames_of_all_lengths_in(Mode::Native, Options::default());
}

#[test]
fn frames_of_all_lengths_go_and_come_back_in_skb_mode() {
    frames_of_all_lengths_in(Mode::Skb, Options::default());
}

#[test]
fn slots_of_2_kib_hold_them_too() {
    let options = Options {
        frame_size: 2048,
        ..Options::default()
    };
    frames_of_all_lengths_in(Mode::Native, options);
}

#[test]
fn few_slots_and_small_rings_are_enough() {
    in_namespace(|| {
        set_mtu(9000);
        let options = Options {
            frame_count: 64,
            ring_size: 16,
            ..Options::default()
        };
        let mut ports = Port::pair(&options, None);
        exchange(&mut ports, &LENGTHS[..5], 300);
        exchange(&mut ports, &[9018; 5], 300);
        for port in &mut ports {
            port.assert_at_rest(&options);
        }
    });
}

#[test]
fn a_frame_whose_slots_are_taken_one_by_one_is_whole() {
    in_namespace(|| {
        set_mtu(9000);
        let options = Options::default();
        let mut ports = Port::pair(&options, None);
        ports[1].batch = Batch::with_capacity(1);
        exchange(&mut ports, &LENGTHS, 100);
        for port in &mut ports {
            port.assert_at_rest(&options);
        }
    });
}

#[test]
fn a_full_transmit_ring_gives_a_long_frame_back_as_it_was() {
    in_namespace(|| {
        set_mtu(9000);
        let options = Options {
            ring_size: 8,
            ..Options::default()
        };
        let mut ports = Port::pair(&options, None);
        let left = &mut ports[0].device;
        for number in 0..2 {
            let mut long = left.allocate().unwrap();
            long.buffer()[..9000].copy_from_slice(&frame(0, number, 9000));
            long.set_len(9000);
            left.transmit(long).unwrap();
        }
        let mut third = left.allocate().unwrap();
        third.buffer()[..9000].copy_from_slice(&frame(0, 2, 9000));
        third.set_len(9000);
        let Err(Full(third)) = left.transmit(third) else {
            panic!("nine descriptors went into a ring of eight");
        };
        assert!(third.bytes() == frame(0, 2, 9000));
        left.release(third);
        ports[0].settle();
        assert_eq!(ports[1].receive(), 2);
        assert_eq!(ports[1].drain(), [0, 1]);
        for port in &mut ports {
            port.assert_at_rest(&options);
        }
    });
}

#[test]
fn sending_leaves_room_to_gather_what_comes() {
    in_namespace(|| {
        set_mtu(9000);
        let options = Options::default();
        let mut ports = Port::pair(&options, None);
        let taken: Vec<_> = std::iter::from_fn(|| ports[0].device.allocate()).collect();
        // 2,048 of 4,096 slots are for sending, in runs of three, and 64 runs are kept.
        assert_eq!(taken.len(), 682 - 64);
        assert!(ports[1].send_bytes(&frame(1, 7, 9014)));
        ports[1].device.flush().unwrap();
        assert_eq!(ports[0].receive(), 1);
        assert!(ports[0].batch.frames()[0].bytes() == frame(1, 7, 9014));
        assert_eq!(ports[0].drain(), [7]);
        for frame in taken {
            ports[0].device.release(frame);
        }
        exchange(&mut ports, &LENGTHS, 10);
        ports[0].assert_at_rest(&options);
    });
}

#[test]
fn frames_longer_than_the_mtu_was_are_dropped_and_counted() {
    in_namespace(|| {
        let options = Options::default();
        for (before, after, long) in [(1500, 3000, 1519), (9000, 12_000, 9019)] {
            set_mtu(before);
            let left = Port::open(0, &options, None);
            set_mtu(after);
            let mut ports = [left, Port::open(1, &options, None)];
            for number in 0..3 {
                assert!(ports[1].send_bytes(&frame(1, number, long)));
                assert!(ports[1].send_bytes(&frame(1, number, after as usize)));
            }
            assert!(ports[1].send_bytes(&frame(1, 9, long - 1)));
            ports[1].settle();
            let mut numbers = Vec::new();
            while numbers.is_empty() {
                assert!(ports[0].receive() > 0);
                numbers = ports[0].drain();
            }
            assert_eq!(numbers, [9]);
            assert_eq!(ports[0].device.take_too_long(), 6);
            for port in &mut ports {
                port.assert_at_rest(&options);
            }
        }
    });
}

#[test]
fn without_multi_buffer_the_mtu_is_what_one_slot_holds() {
    in_namespace(|| {
        set_mtu(9000);
        let options = Options {
            multi_buffer: MultiBuffer::Off,
            ..Options::default()
        };
        let left = Port::open(0, &options, None);
        assert_eq!(left.device.capabilities().mtu, 3822);
        let mut ports = [left, Port::open(1, &Options::default(), None)];
        assert!(ports[1].send_bytes(&frame(1, 1, 9000)));
        assert!(ports[1].send_bytes(&frame(1, 2, 3840)));
        ports[1].settle();
        assert_eq!(ports[0].receive(), 1);
        assert_eq!(ports[0].drain(), [2]);
        assert_eq!(ports[0].device.statistics().unwrap().rx_dropped, 1);
        ports[0].assert_at_rest(&options);
    });
}
