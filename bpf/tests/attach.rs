//! The program on real interfaces, in a network namespace of the test's own.

use std::process::Command;
use std::thread;

use rustix::thread::{UnshareFlags, unshare_unsafe};
use wirepath_bpf::{Mode, SteerError, Steering};

/// Runs a test on a thread with a namespace of its own, which is gone when the thread is.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let body = move || {
        // SAFETY: the thread shares no descriptor table with one that it leaves.
        if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNET) } {
            println!("skipped: cannot make a network namespace ({error}); run as root");
            return;
        }
        ip("link set lo up");
        ip("link add left type veth peer name right");
        test();
    };
    if let Err(panic) = thread::spawn(body).join() {
        std::panic::resume_unwind(panic);
    }
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .unwrap();
    assert!(output.status.success(), "ip {arguments}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_mode_is_as_asked_or_the_best_there_is() {
    in_namespace(|| {
        let steering = Steering::load().unwrap();
        for (interface, asked, got) in [
            ("left", None, Mode::Native),
            ("left", Some(Mode::Native), Mode::Native),
            ("left", Some(Mode::Skb), Mode::Skb),
            ("lo", None, Mode::Skb),
        ] {
            let attachment = steering.attach(interface, asked).unwrap();
            assert_eq!(attachment.mode(), got);
            assert!(attachment.is_live());
            let flag = if got == Mode::Native {
                "xdp"
            } else {
                "xdpgeneric"
            };
            assert!(ip(&format!("link show {interface}")).contains(&format!(" {flag} ")));
            drop(attachment);
            assert!(!ip(&format!("link show {interface}")).contains("xdp"));
        }
        let error = steering.attach("lo", Some(Mode::Native)).unwrap_err();
        assert!(
            matches!(
                error,
                SteerError::Attach {
                    mode: Mode::Native,
                    ..
                }
            ),
            "{error}"
        );
    });
}

#[test]
fn a_second_program_is_refused_whatever_its_mode() {
    in_namespace(|| {
        let first = Steering::load().unwrap();
        let second = Steering::load().unwrap();
        for mode in [Mode::Native, Mode::Skb] {
            let attachment = first.attach("left", Some(mode)).unwrap();
            for asked in [None, Some(Mode::Native), Some(Mode::Skb)] {
                let error = second.attach("left", asked).unwrap_err();
                let SteerError::AlreadyAttached {
                    interface,
                    program: Some(_),
                } = &error
                else {
                    panic!("{error}");
                };
                assert_eq!(interface, "left");
            }
            assert!(attachment.is_live());
        }
    });
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    in_namespace(|| {
        let error = Steering::load()
            .unwrap()
            .attach("no-such0", None)
            .unwrap_err();
        assert!(
            error.to_string().starts_with("no interface no-such0 here"),
            "{error}"
        );
    });
}

#[test]
fn an_attachment_dies_with_its_interface() {
    in_namespace(|| {
        let steering = Steering::load().unwrap();
        let attachment = steering.attach("left", None).unwrap();
        ip("link del left");
        assert!(!attachment.is_live());
    });
}
