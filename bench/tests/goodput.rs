//! `wirepath-bench goodput`, run as people run it, for a few seconds. How fast anything was is not
//! judged here: others may use the machine.

use std::process::{Command, Output};

use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_wirepath-bench");

/// One short transfer of each sender over a path of 20 Mbit/s.
const SHORT: &str = "--rate 20 --seconds 1 --warm-up 0 --runs 1";

fn bench(arguments: &str) -> Output {
    let mut command = Command::new(BENCH);
    command.arg("goodput").args(arguments.split_whitespace());
    command.output().expect("the program starts")
}

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn count(of: &Value, path: &str) -> u64 {
    let value = of.pointer(path).and_then(Value::as_u64);
    value.unwrap_or_else(|| panic!("no count at {path} in {of:#}"))
}

#[test]
fn both_senders_fill_the_path_and_resend_what_the_wire_has_lost() {
    // The client compares every byte, so a run that ends well has delivered the right ones.
    let arguments = format!("{SHORT} --loss 0,2 --rtt 4 --seed 7 --json");
    let report = json(&bench(&arguments));
    assert_eq!(report["path"]["queue_packets"], 64);
    assert_eq!(report["cells"].as_array().map(Vec::len), Some(2));
    for cell in report["cells"].as_array().into_iter().flatten() {
        assert_eq!(cell["verdict"], "too_few_runs", "one pair shows no spread");
        for sender in ["wirepath", "linux"] {
            let run = &cell["pairs"][0][sender];
            let (bytes, frames) = (count(run, "/bytes"), count(run, "/wire/text/frames"));
            // Everything that was read has crossed the wire, in segments of 1,448 bytes at most.
            assert!(bytes > 0 && frames > bytes / 1_448, "{run:#}");
            // And no faster than it goes: 20 Mbit/s, for a second and what waited in buffers.
            assert!(bytes < 20_000_000, "{run:#}");
            assert_eq!(count(run, "/wire/text/refused"), 0, "{run:#}");
            assert_eq!(count(run, "/wire/acks/lost"), 0, "{run:#}");
            let lost = count(run, "/wire/text/lost");
            let resent = count(run, "/retransmissions");
            if cell["loss_percent"] == 0.0 {
                assert_eq!(lost, 0, "{run:#}");
            } else {
                assert!(lost > 0 && lost < frames / 10, "{run:#}");
                assert!(resent > 0, "{run:#}");
            }
        }
    }
}

#[test]
fn acks_are_lost_as_well_when_that_is_asked_for() {
    let arguments = format!("{SHORT} --loss 10 --both-ways --rtt 2 --json");
    let report = json(&bench(&arguments));
    for sender in ["wirepath", "linux"] {
        let run = &report["cells"][0]["pairs"][0][sender];
        assert!(count(run, "/wire/acks/lost") > 0, "{run:#}");
    }
}

#[test]
fn a_table_names_the_machine_the_path_and_the_spread() {
    let arguments = format!("{SHORT} --loss 1 --rtt 2 --congestion reno");
    let output = bench(&arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    for part in [
        "Linux ",
        "mode;",
        "tcp_rmem=",
        "path: 2 ms, 20 Mbit/s, 64 packets of queue",
        "random loss of text;",
        "| reno | 1 | ",
        ": too few runs | 1 | ",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn wrong_arguments_are_refused_with_exit_code_2_and_what_would_be_right() {
    for (arguments, remedy) in [
        ("--loss 80", "80 is not in 0..=50"),
        ("--queue 0", "1..=100000"),
        ("--congestion bbr9", "wirepath has cubic, reno"),
        ("--seconds soon", "invalid digit"),
    ] {
        let output = bench(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(remedy), "no {remedy:?} in {said}");
    }
}

#[test]
fn what_the_kernel_lacks_is_told_with_what_it_has() {
    let known = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control")
        .expect("a Linux kernel");
    let missing = ["vegas", "dctcp"]
        .into_iter()
        .find(|name| !known.contains(name));
    let Some(missing) = missing else {
        return; // It has both.
    };
    let output = bench(&format!("--congestion {missing}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("has no {missing}, only ")), "{said}");
}

#[test]
fn an_interrupted_run_leaves_no_namespace() {
    use std::io::Read as _;
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let mut command = Command::new(BENCH);
    command.args(["goodput", "--seconds", "60", "--runs", "1"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let prefix = format!("wp-{}-", child.id());
    let namespaces = || {
        let names = std::fs::read_dir("/run/netns")
            .into_iter()
            .flatten()
            .flatten();
        names
            .filter(|name| name.file_name().to_string_lossy().starts_with(&prefix))
            .count()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while namespaces() < 3 {
        assert!(Instant::now() < deadline, "three namespaces are made");
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let status = child.wait().expect("the program can be waited for");
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("standard error is a pipe");
    stderr
        .read_to_string(&mut said)
        .expect("a pipe can be read");
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("interrupted: removed what was made"),
        "{said}"
    );
    assert_eq!(namespaces(), 0, "{said}");
}
