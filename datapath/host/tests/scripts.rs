//! Every packet script of the project, and what the player says of bad ones.

use std::path::{Path, PathBuf};

use wirepath_host::script::Script;

fn scripts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let topics = std::fs::read_dir(root).expect("the scripts are there");
    let files = topics.flat_map(|topic| std::fs::read_dir(topic.expect("a topic").path()));
    let mut paths: Vec<PathBuf> = files
        .flatten()
        .map(|file| file.expect("a script").path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn every_script_holds() {
    let paths = scripts();
    assert!(paths.len() >= 150, "{} scripts", paths.len());
    let failures: Vec<String> = paths
        .iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(path).expect("text");
            let played = match Script::parse(&text) {
                Ok(script) => script.play().map(drop).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            played
                .err()
                .map(|error| format!("{}: {error}", path.display()))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// What is said of a script that cannot be read.
fn refusal(text: &str) -> String {
    Script::parse(text).expect_err(text).to_string()
}

/// What is said of a script that does not hold.
fn failure(text: &str) -> String {
    let script = Script::parse(text).expect(text);
    script.play().expect_err(text).to_string()
}

#[test]
fn a_line_that_makes_no_sense_is_named_by_line_and_column() {
    let cases = [
        ("soon listen", "line 1, column 1: expected a time"),
        ("0 listn", "line 1, column 3: expected <, > or a call"),
        (
            "0 listen now",
            "line 1, column 10: expected the end of the line, not now",
        ),
        ("0 < X 0:0(0)", "line 1, column 5: expected flags"),
        ("\n0 < S 0:5(0)", "line 2, column 7: expected a range"),
        (
            "0 < S 0:0(0) <mss>",
            "line 1, column 14: expected options (mss is none)",
        ),
        (
            "0 < S 0:0(0) <mss 5",
            "line 1, column 14: expected > after <",
        ),
        (
            "0 < [dscp 64] S 0:0(0)",
            "line 1, column 5: expected of a packet ect0,",
        ),
        ("0 < [ce S 0:0(0)", "line 1, column 5: expected ] after ["),
        (
            "0 > [badsum] S 0:0(0)",
            "line 1, column 5: expected what a host may send, not [badsum]",
        ),
        ("set ip 5", "line 1, column 8: expected 4 or 6, not 5"),
        ("set speed 5", "line 1, column 5: expected a setting"),
        (
            "set sack maybe",
            "line 1, column 10: expected on or off, not maybe",
        ),
        (
            "0 listen\nset sack on",
            "line 2, column 5: expected settings before",
        ),
        ("0 recv soon", "line 1, column 8: expected a count of bytes"),
        (
            "0 < icmp plague seq 1",
            "line 1, column 10: expected an ICMP error",
        ),
        ("0 expect mood", "line 1, column 10: expected state"),
        (
            "0 listen\n= < S 0:0(0)",
            "line 2, column 1: only packets of a peer come together",
        ),
        ("+1e99 listen", "line 1, column 1: expected a time"),
    ];
    for (text, expected) in cases {
        let refused = refusal(text);
        assert!(refused.starts_with(expected), "{text}: {refused}");
    }
}

const OPEN: &str = "0 listen\n+0 < S 0:0(0) win 1000 <mss 1000>\n";

#[test]
fn a_packet_that_differs_is_told_with_what_came() {
    let wrong = failure(&format!("{OPEN}+0 > S. 0:0(0) ack 2"));
    assert!(wrong.starts_with("line 3: +0 > S. 0:0(0) ack 2"), "{wrong}");
    assert!(
        wrong.contains("its acknowledgment differs: S. 0:0(0) ack 1"),
        "{wrong}"
    );
    assert!(wrong.contains("0.000000 < S 0:0(0)"), "the trace: {wrong}");
}

#[test]
fn what_a_packet_says_to_the_network_is_compared_and_told() {
    let cases = [
        ("[ce]", "its ECN field differs: S. 0:0(0) ack 1"),
        ("[dscp 10]", "its DSCP differs: S. 0:0(0) ack 1"),
        ("[ttl 9]", "its TTL differs: S. 0:0(0) ack 1"),
        ("[to 192.0.2.9]", "its address differs: S. 0:0(0) ack 1"),
    ];
    for (said, expected) in cases {
        let wrong = failure(&format!("{OPEN}+0 > {said} S. 0:0(0) ack 1"));
        assert!(wrong.contains(expected), "{wrong}");
    }
    let other = "0 listen\n+0 < [from 192.0.2.9] S 0:0(0)\n+0 > S. 0:0(0) ack 1";
    let wrong = failure(&format!("set ttl 9\n{other}"));
    let told = "its address differs: [ttl 9, to 192.0.2.9] S. 0:0(0) ack 1";
    assert!(wrong.contains(told), "{wrong}");
}

#[test]
fn a_packet_that_is_missing_or_late_or_one_too_many_is_told() {
    let missing = failure(&format!("{OPEN}+0 > S. 0:0(0) ack 1\n+.5 > . 1:1(0) ack 1"));
    assert!(missing.contains("nothing came"), "{missing}");
    let late = failure(&format!(
        "{OPEN}+0 > S. 0:0(0) ack 1\n+.9~.2 > S. 0:0(0) ack 1\n+5 > S. 0:0(0) ack 1"
    ));
    assert!(late.contains("it came at 3.000000, not at 6.0"), "{late}");
    let surprise = failure(&format!("{OPEN}+.1 expect state LISTEN"));
    assert!(
        surprise.contains("nothing was expected, and at 0.000000 came > S. 0:0(0)"),
        "{surprise}"
    );
    let after = failure(OPEN);
    assert!(
        after.contains("after the last line: nothing was expected"),
        "{after}"
    );
}

#[test]
fn calls_that_answer_otherwise_are_told() {
    let opened = format!("{OPEN}+0 > S. 0:0(0) ack 1\n+0 < . 1:1(0) ack 1 win 1000\n+0 accept\n");
    let nothing = failure(&format!("{opened}+0 recv 5"));
    assert!(
        nothing.contains("nothing can be done yet after 0 bytes"),
        "{nothing}"
    );
    let state = failure(&format!("{opened}+0 expect state CLOSED"));
    assert!(state.contains("found \"ESTABLISHED\""), "{state}");
    let none = failure("0 send 5");
    assert!(none.contains("accept or connect first"), "{none}");
    let ages = failure("9e6 listen\n+9e6 close");
    assert!(ages.contains("ten million seconds at most"), "{ages}");
    let families = failure("0 < [from 2001:db8::9] S 0:0(0)");
    assert!(families.contains("of two families"), "{families}");
    let back = failure("5 listen\n1 connect");
    assert!(back.contains("time has come to 5.000000 already"), "{back}");
}

#[test]
fn any_text_is_survived() {
    let mut random = 7_u32;
    for path in scripts() {
        let whole = std::fs::read_to_string(path).expect("text");
        for _ in 0..20 {
            let mut bytes = whole.clone().into_bytes();
            for _ in 0..4 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = random as usize % bytes.len();
                bytes[at] = (random >> 24) as u8;
            }
            if let Ok(script) = Script::parse(&String::from_utf8_lossy(&bytes)) {
                let _ = script.play();
            }
        }
    }
}

/// Whether a script holds is not asked: its host must come to rest.
#[test]
fn no_setting_lets_a_host_spin() {
    let names = [
        "delayed_ack",
        "initial_rto",
        "min_rto",
        "user_timeout",
        "stall_timeout",
        "msl",
        "fin_wait_2",
        "send_buffer",
        "receive_buffer",
        "initial_window",
        "mtu",
        "half_open",
    ];
    let paths = scripts();
    let texts: Vec<String> = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("text"))
        .collect();
    for name in names {
        for value in ["0", "1", "255", "4294967295"] {
            for text in &texts {
                let changed = format!("set {name} {value}\n{text}");
                if let Ok(script) = Script::parse(&changed) {
                    let _ = script.play();
                }
            }
        }
    }
}
