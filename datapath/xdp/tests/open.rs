//! What opening a device says when it cannot.

mod lab;

use std::time::Duration;

use lab::{Port, in_namespace, run};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use wirepath_bpf::{SteerError, Steering};
use wirepath_device::Device as _;
use wirepath_xdp::{Interface, OpenError, Options, XdpDevice, ZeroCopy};

fn open(name: &str, queue: u32, options: &Options) -> Result<XdpDevice, OpenError> {
    XdpDevice::open(&Interface::find(name)?, queue, options)
}

fn hurried() -> Options {
    Options {
        bind_timeout: Duration::from_millis(20),
        ..Options::default()
    }
}

#[test]
fn an_interface_is_described() {
    in_namespace(|| {
        run("ip link set left mtu 1400");
        let left = Interface::find("left").unwrap();
        assert_eq!(
            (left.name(), left.mtu(), left.queues(), left.driver()),
            ("left", 1400, 1, "veth")
        );
        assert_eq!(run("cat /proc/net/dev").matches("left").count(), 1);
    });
}

#[test]
fn a_taken_queue_is_named_and_free_again_after_its_device() {
    in_namespace(|| {
        let first = Port::open(0, &Options::default(), None);
        let error = open("left", 0, &hurried()).unwrap_err();
        assert!(
            matches!(error, OpenError::QueueTaken { queue: 0, .. }),
            "{error}"
        );
        drop(first);
        // The kernel lets go of the queue a little later than of the descriptor.
        for _ in 0..20 {
            drop(Port::open(0, &Options::default(), None));
        }
    });
}

#[test]
fn a_queue_that_is_not_there_is_named() {
    in_namespace(|| {
        let error = open("left", 1, &hurried()).unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::NoSuchQueue {
                    queue: 1,
                    queues: 1,
                    ..
                }
            ),
            "{error}"
        );
    });
}

#[test]
fn an_mtu_that_takes_too_many_slots_is_refused_and_the_limit_is_told() {
    in_namespace(|| {
        run("ip link set left mtu 10735");
        let small = Options {
            frame_size: 2048,
            ..hurried()
        };
        let error = open("left", 0, &small).unwrap_err();
        assert!(
            matches!(error, OpenError::MtuTooLarge { limit: 10734, .. }),
            "{error}"
        );
        run("ip link set left mtu 10734");
        let device = open("left", 0, &small).unwrap();
        assert_eq!(device.capabilities().mtu, 10734);
    });
}

#[test]
fn zero_copy_on_demand_fails_where_the_driver_has_none() {
    in_namespace(|| {
        let error = open(
            "left",
            0,
            &Options {
                zero_copy: ZeroCopy::On,
                ..hurried()
            },
        )
        .unwrap_err();
        assert!(matches!(error, OpenError::NoZeroCopy { .. }), "{error}");
        for zero_copy in [ZeroCopy::Auto, ZeroCopy::Off] {
            assert!(
                !open(
                    "left",
                    0,
                    &Options {
                        zero_copy,
                        ..Options::default()
                    }
                )
                .unwrap()
                .is_zero_copy()
            );
        }
    });
}

#[test]
fn without_privilege_each_step_says_so() {
    in_namespace(|| {
        let none = CapabilitySet::empty();
        set_capabilities(
            None,
            CapabilitySets {
                effective: none,
                permitted: none,
                inheritable: none,
            },
        )
        .unwrap();
        let error = open("left", 0, &hurried()).unwrap_err();
        assert!(matches!(error, OpenError::NoPrivilege { .. }), "{error}");
        let error = Steering::load().unwrap_err();
        assert!(matches!(error, SteerError::NoPrivilege { .. }), "{error}");
    });
}
