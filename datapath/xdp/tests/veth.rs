//! Frames between two devices, and between a device and the kernel, over a veth pair.

mod lab;

use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use lab::{ENDS, Port, TICK, in_namespace, run, turn_around};
use wirepath_bpf::Mode;
use wirepath_device::{Device as _, Frame as _};
use wirepath_xdp::Options;

/// Sends `total` numbered frames, at most 64 under way, which the other end reflects.
fn ping_pong(ports: &mut [Port; 2], total: u32) {
    let [left, right] = ports;
    let (mut sent, mut back) = (0, 0);
    while back < total {
        while sent < total && sent - back < 64 && left.send(0, sent) {
            sent += 1;
        }
        left.device.flush().unwrap();
        assert!(
            right.receive() > 0,
            "frame {back} of {total} did not arrive"
        );
        for mut frame in right.batch.drain() {
            let len = frame.bytes().len();
            turn_around(&mut frame.buffer()[..len]);
            right.device.transmit(frame).unwrap();
        }
        right.device.flush().unwrap();
        assert!(
            left.receive() > 0,
            "frame {back} of {total} did not come back"
        );
        for number in left.drain() {
            assert_eq!(number, back);
            back += 1;
        }
        assert!(left.device.ledger().balances() && right.device.ledger().balances());
    }
}

fn ping_pong_in(mode: Mode, options: Options) {
    in_namespace(move || {
        let mut ports = Port::pair(&options, Some(mode));
        assert_eq!(ports[0].attachment.mode(), mode);
        ping_pong(&mut ports, 5000);
        for port in &mut ports {
            port.assert_at_rest(&options);
            let statistics = port.device.statistics().unwrap();
            assert_eq!(
                statistics.rx_dropped + statistics.rx_ring_full,
                0,
                "{statistics:?}"
            );
            assert_eq!(statistics.tx_invalid_descs + statistics.rx_invalid_descs, 0);
        }
    });
}

#[test]
fn frames_go_and_come_back_in_native_mode() {
    ping_pong_in(Mode::Native, Options::default());
}

#[test]
fn frames_go_and_come_back_in_skb_mode() {
    ping_pong_in(Mode::Skb, Options::default());
}

#[test]
fn frames_go_and_come_back_when_busy_polling_is_wanted() {
    let options = Options {
        busy_poll: true,
        ..Options::default()
    };
    ping_pong_in(Mode::Native, options);
    ping_pong_in(Mode::Skb, options);
}

#[test]
fn few_small_frames_are_enough() {
    in_namespace(|| {
        let options = Options {
            frame_size: 2048,
            frame_count: 200,
            ring_size: 64,
            ..Options::default()
        };
        let mut ports = Port::pair(&options, None);
        ping_pong(&mut ports, 2000);
        for port in &mut ports {
            port.assert_at_rest(&options);
        }
    });
}

#[test]
fn the_kernel_asks_for_our_address_and_hears_our_answer() {
    in_namespace(|| {
        run("ip addr add 10.77.0.2/24 dev right");
        let mut left = Port::open(0, &Options::default(), None);
        // To send this datagram the kernel must first know whose 10.77.0.1 is.
        let socket = UdpSocket::bind("10.77.0.2:0").unwrap();
        socket.send_to(b"hello", (ENDS[0].1, 9)).unwrap();

        assert!(left.receive() > 0);
        for mut frame in left.batch.drain() {
            let request = frame.bytes().to_vec();
            assert_eq!(request[12..14], [0x08, 0x06]);
            let reply = &mut frame.buffer()[..42];
            reply[..6].copy_from_slice(&request[6..12]);
            reply[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
            reply[21] = 2;
            reply[22..28].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
            reply[28..32].copy_from_slice(&request[38..42]);
            reply[32..42].copy_from_slice(&request[22..32]);
            frame.set_len(42);
            left.device.transmit(frame).unwrap();
        }
        left.settle();
        assert_eq!(left.drain(), []);
        assert!(run("ip neigh show 10.77.0.1").contains("02:00:00:00:00:09"));
    });
}

#[test]
fn frames_wait_while_our_link_is_down() {
    in_namespace(|| {
        let options = Options::default();
        let mut ports = Port::pair(&options, None);
        run("ip link set left down");
        for number in 0..100 {
            assert!(ports[0].send(0, number));
        }
        for _ in 0..10 {
            ports[0].device.flush().unwrap();
            ports[0].device.wait(Duration::from_millis(1)).unwrap();
        }
        let ledger = ports[0].device.ledger();
        assert!(
            ledger.balances() && ledger.transmitting == 100,
            "{ledger:?}"
        );

        run("ip link set left up");
        let mut numbers = Vec::new();
        while numbers.len() < 100 {
            ports[0].device.flush().unwrap();
            assert!(ports[1].receive() > 0, "{} of 100 came", numbers.len());
            numbers.extend(ports[1].drain());
        }
        assert!(numbers.into_iter().eq(0..100));
        ping_pong(&mut ports, 500);
        for port in &mut ports {
            port.assert_at_rest(&options);
        }
    });
}

#[test]
fn frames_are_lost_but_not_leaked_while_the_peer_s_link_is_down() {
    in_namespace(|| {
        let options = Options::default();
        let mut ports = Port::pair(&options, None);
        run("ip link set right down");
        for number in 0..200 {
            assert!(ports[0].send(0, number));
        }
        ports[0].assert_at_rest(&options);
        run("ip link set right up");
        ping_pong(&mut ports, 500);
        for port in &mut ports {
            port.assert_at_rest(&options);
        }
    });
}

#[test]
fn a_full_transmit_ring_gives_the_frame_back() {
    in_namespace(|| {
        let options = Options {
            ring_size: 8,
            ..Options::default()
        };
        let mut ports = Port::pair(&options, None);
        let queued = (0..20)
            .take_while(|&number| ports[0].send(0, number))
            .count();
        assert_eq!(queued, 8);
        assert_eq!(ports[0].device.ledger().in_hand, 0);
        ports[0].device.flush().unwrap();
        assert!(ports[1].receive() > 0);
        ports[1].drain();
        for port in &mut ports {
            port.assert_at_rest(&options);
        }
    });
}

#[test]
fn sending_cannot_take_the_frames_kept_for_receiving() {
    in_namespace(|| {
        let options = Options {
            frame_count: 64,
            ..Options::default()
        };
        let mut ports = Port::pair(&options, None);
        let taken: Vec<_> = std::iter::from_fn(|| ports[0].device.allocate()).collect();
        assert_eq!(taken.len(), 32);
        let ledger = ports[0].device.ledger();
        assert_eq!((ledger.receiving, ledger.free, ledger.in_hand), (32, 0, 32));

        // It still receives, and what it receives comes back to the fill ring and not to us.
        assert!(ports[1].send(1, 7));
        ports[1].device.flush().unwrap();
        assert_eq!(ports[0].receive(), 1);
        assert_eq!(ports[0].drain(), [7]);
        assert!(ports[0].device.allocate().is_none());

        for frame in taken {
            ports[0].device.release(frame);
        }
        ping_pong(&mut ports, 500);
        ports[0].assert_at_rest(&options);
    });
}

#[test]
fn a_receiver_that_ran_dry_recovers() {
    in_namespace(|| {
        let options = Options {
            frame_count: 64,
            ring_size: 64,
            ..Options::default()
        };
        let mut ports = Port::pair(&options, None);
        for number in 0..200 {
            while !ports[0].send(0, number) {
                ports[0].device.flush().unwrap();
            }
        }
        ports[0].settle();
        let starved = ports[1].device.statistics().unwrap();
        assert!(
            starved.rx_dropped + starved.fill_ring_empty > 0,
            "{starved:?}"
        );
        assert!(ports[1].receive() > 0);
        assert!(ports[1].drain().into_iter().eq(0..32));
        // Only a flush gives the frames back to the kernel.
        ports[1].device.flush().unwrap();
        ping_pong(&mut ports, 500);
        for port in &mut ports {
            port.assert_at_rest(&options);
        }
    });
}

#[test]
fn waiting_ends_by_a_frame_a_wake_or_in_time() {
    in_namespace(|| {
        let mut ports = Port::pair(&Options::default(), None);
        let long = Duration::from_secs(60);
        // Each of these would time the test out if it did not wake.
        ports[0].send(0, 1);
        ports[0].device.flush().unwrap();
        ports[1].device.wait(long).unwrap();
        assert_eq!(ports[1].device.receive(&mut ports[1].batch), 1);
        ports[1].drain();

        let waker = ports[1].device.waker();
        waker.wake();
        waker.clone().wake();
        ports[1].device.wait(long).unwrap();
        ports[1].device.wait(TICK).unwrap();
        ports[1].device.wait(Duration::ZERO).unwrap();
    });
}

#[test]
fn an_empty_frame_is_not_sent_and_not_lost() {
    in_namespace(|| {
        let options = Options::default();
        let mut port = Port::open(0, &options, None);
        let frame = port.device.allocate().unwrap();
        assert_eq!(frame.bytes(), []);
        port.device.transmit(frame).unwrap();
        port.assert_at_rest(&options);
        assert_eq!(port.device.statistics().unwrap().tx_invalid_descs, 0);
    });
}

#[test]
fn a_stranger_s_frame_is_refused() {
    in_namespace(|| {
        let mut ports = Port::pair(&Options::default(), None);
        let frame = ports[0].device.allocate().unwrap();
        let right = &mut ports[1].device;
        let release = AssertUnwindSafe(move || right.release(frame));
        assert!(catch_unwind(release).is_err());
    });
}

#[test]
fn a_device_moves_to_its_worker_s_thread() {
    fn is_send<T: Send>() {}
    is_send::<wirepath_xdp::XdpDevice>();
    is_send::<wirepath_xdp::Waker>();
}

#[test]
fn frames_outlive_their_device() {
    in_namespace(|| {
        let mut port = Port::open(0, &Options::default(), None);
        let mut frame = port.device.allocate().unwrap();
        drop(port);
        frame.buffer().fill(7);
        frame.set_len(3);
        assert_eq!(frame.bytes(), [7; 3]);
    });
}

#[test]
fn a_removed_interface_is_an_error_and_no_spin() {
    in_namespace(|| {
        let [mut left, mut right] = Port::pair(&Options::default(), None);
        assert!(left.attachment.is_live());
        run("ip link del left");
        // One of them sleeps and one spins; both learn of it.
        assert!((0..100).any(|_| left.device.wait(TICK).is_err()));
        assert!((0..2000).any(|_| right.device.flush().is_err()));
        assert!(left.device.flush().is_err() && right.device.wait(TICK).is_err());
        assert!(!left.attachment.is_live());
    });
}
