//! The limit on locked memory; alone in its process, whose limit it lowers.

mod lab;

use lab::in_namespace;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use wirepath_xdp::{Interface, OpenError, Options, XdpDevice};

#[test]
fn too_little_lockable_memory_is_told() {
    in_namespace(|| {
        let limit = Some(1 << 20);
        setrlimit(
            Resource::Memlock,
            Rlimit {
                current: limit,
                maximum: limit,
            },
        )
        .unwrap();
        let enough = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN;
        set_capabilities(
            None,
            CapabilitySets {
                effective: enough,
                permitted: enough,
                inheritable: enough,
            },
        )
        .unwrap();
        let interface = Interface::find("left").unwrap();
        let error = XdpDevice::open(&interface, 0, &Options::default()).unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Memlock {
                    bytes: 0x100_0000,
                    ..
                }
            ),
            "{error}"
        );

        let fewer = Options {
            frame_count: 64,
            ..Options::default()
        };
        XdpDevice::open(&interface, 0, &fewer).unwrap();
    });
}
