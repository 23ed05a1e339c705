//! A network namespace with a veth pair, for one test.
#![allow(dead_code, reason = "no test file uses all of it")]

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Duration;

use rustix::thread::{UnshareFlags, unshare_unsafe};
use wirepath_bpf::{AddressKind, Attachment, Mode, Steering};
use wirepath_device::{Batch, Device as _, Frame as _};
use wirepath_xdp::{Interface, Options, XdpDevice, XdpFrame};

/// The two ends of the pair, and the address that belongs to each.
pub(crate) const ENDS: [(&str, Ipv4Addr); 2] = [
    ("left", Ipv4Addr::new(10, 77, 0, 1)),
    ("right", Ipv4Addr::new(10, 77, 0, 2)),
];

pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Runs a test on a thread with a namespace of its own, which is gone when the thread is.
#[allow(
    clippy::disallowed_methods,
    reason = "a namespace is entered by a thread"
)]
pub(crate) fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let body = move || {
        // SAFETY: the thread shares no descriptor table with one that it leaves.
        if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNET) } {
            println!("skipped: cannot make a network namespace ({error}); run as root");
            return;
        }
        run("ip link set lo up");
        run("ip link add left type veth peer name right");
        run("ip link set left up");
        run("ip link set right up");
        test();
    };
    if let Err(panic) = std::thread::spawn(body).join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs a command in the namespace of the calling thread; returns what it printed.
pub(crate) fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("`{command}`: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{command}`: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A device on one end, and a program that sends it what is for the end's address.
pub(crate) struct Port {
    // The program goes before the socket.
    pub(crate) attachment: Attachment,
    pub(crate) steering: Steering,
    pub(crate) device: XdpDevice,
    pub(crate) batch: Batch<XdpFrame>,
    /// All frames of the device.
    total: usize,
}

impl Port {
    pub(crate) fn open(end: usize, options: &Options, mode: Option<Mode>) -> Self {
        let (name, address) = ENDS[end];
        let steering = Steering::load().unwrap();
        steering
            .set_address(IpAddr::V4(address), AddressKind::Owned)
            .unwrap();
        let device = XdpDevice::open(&Interface::find(name).unwrap(), 0, options).unwrap();
        steering
            .set_socket(0, std::os::fd::AsFd::as_fd(&device))
            .unwrap();
        let attachment = steering.attach(name, mode).unwrap();
        let batch = Batch::with_capacity(device.capabilities().batch);
        let total = device.ledger().total;
        Self {
            attachment,
            steering,
            device,
            batch,
            total,
        }
    }

    /// Both ends.
    pub(crate) fn pair(options: &Options, mode: Option<Mode>) -> [Self; 2] {
        [Self::open(0, options, mode), Self::open(1, options, mode)]
    }

    /// Queues a frame for the other end; false when there is none free or the ring is full.
    pub(crate) fn send(&mut self, end: usize, number: u32) -> bool {
        self.send_bytes(&segment(ENDS[end].1, ENDS[1 - end].1, number))
    }

    /// The same with a frame of any content.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        let Some(mut frame) = self.device.allocate() else {
            return false;
        };
        frame.buffer()[..bytes.len()].copy_from_slice(bytes);
        frame.set_len(bytes.len());
        match self.device.transmit(frame) {
            Ok(()) => true,
            Err(full) => {
                self.device.release(full.0);
                false
            }
        }
    }

    /// Takes what has come, flushing and waiting for at most a second for the first of it.
    pub(crate) fn receive(&mut self) -> usize {
        for _ in 0..100 {
            self.device.flush().unwrap();
            let count = self.device.receive(&mut self.batch);
            if count > 0 {
                return count;
            }
            self.device.wait(TICK).unwrap();
        }
        0
    }

    /// Gives back all that was received; returns the numbers that were in it.
    pub(crate) fn drain(&mut self) -> Vec<u32> {
        let numbers = self
            .batch
            .frames()
            .iter()
            .map(|frame| number(frame.bytes()))
            .collect();
        for frame in self.batch.drain() {
            self.device.release(frame);
        }
        numbers
    }

    /// Flushes until the kernel has sent everything, at most a second long.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1000 {
            self.device.flush().unwrap();
            if self.device.ledger().transmitting == 0 {
                return;
            }
            self.device.wait(Duration::from_millis(1)).unwrap();
        }
    }

    /// Every frame is where it should be when nothing is going on.
    pub(crate) fn assert_at_rest(&mut self, options: &Options) {
        self.settle();
        let ledger = self.device.ledger();
        assert!(ledger.balances(), "{ledger:?}");
        assert_eq!((ledger.in_hand, ledger.transmitting), (0, 0), "{ledger:?}");
        let share = options.ring_size.min(options.frame_count / 2) as usize;
        assert_eq!(ledger.receiving, share, "{ledger:?}");
        assert_eq!(ledger.total, self.total);
    }
}

/// A frame with a TCP segment that carries nothing but a number, as its sequence number.
pub(crate) fn segment(from: Ipv4Addr, to: Ipv4Addr, number: u32) -> Vec<u8> {
    let mut frame = vec![0x02; 12];
    frame.extend([0x08, 0x00]);
    frame.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
    frame.extend(from.octets());
    frame.extend(to.octets());
    frame.extend([0x1f, 0x90, 0x1f, 0x90]);
    frame.extend(number.to_be_bytes());
    frame.extend([0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    frame
}

/// The number in such a frame.
pub(crate) fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[38..42].try_into().unwrap())
}

/// Makes the frame an answer to itself.
pub(crate) fn turn_around(frame: &mut [u8]) {
    let (from, to) = frame[26..34].split_at_mut(4);
    from.swap_with_slice(to);
}
