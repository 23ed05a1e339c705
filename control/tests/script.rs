//! `wirepath script`, as a person calls it. Needs no root.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn script(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wirepath"));
    command.arg("script").args(args);
    command.output().expect("wirepath runs")
}

fn example(name: &str) -> String {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datapath/host/scripts");
    scripts.join(name).to_string_lossy().into_owned()
}

/// A file of this test process, with `text`.
fn written(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("wp-{}-{name}", std::process::id()));
    std::fs::write(&path, text).expect("a temporary file");
    path
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn a_script_that_holds_prints_its_packets() {
    let (code, out, _) = said(&script(&[&example("open/passive.pkt")]));
    assert_eq!(code, Some(0));
    assert!(out.contains("passive.pkt: holds"), "{out}");
    assert!(
        out.contains("0.100000 > S. 0:0(0) ack 1 win 65535 <mss 1460"),
        "{out}"
    );
    let (code, out, _) = said(&script(&["-q", &example("open/passive.pkt")]));
    assert_eq!((code, out.lines().count()), (Some(0), 1));
}

#[test]
fn one_that_does_not_hold_is_exit_code_1_and_the_others_are_played() {
    let bad = written("bad.pkt", "0 connect\n+0 > S 5:5(0)\n");
    let name = bad.to_string_lossy();
    let (code, out, error) = said(&script(&[&name, &example("open/active.pkt")]));
    std::fs::remove_file(&bad).expect("it was written");
    assert_eq!(code, Some(1));
    assert!(out.contains("line 2: +0 > S 5:5(0)"), "{out}");
    assert!(out.contains("its sequence number differs"), "{out}");
    assert!(out.contains("active.pkt: holds"), "{out}");
    assert!(error.contains("1 of 2 scripts did not hold"), "{error}");
}

#[test]
fn one_that_makes_no_sense_or_is_not_there_is_exit_code_2() {
    let bad = written("nonsense.pkt", "0 lisen\n");
    let (code, _, error) = said(&script(&[&bad.to_string_lossy()]));
    std::fs::remove_file(&bad).expect("it was written");
    assert_eq!(code, Some(2));
    assert!(error.contains("line 1, column 3"), "{error}");
    let (code, _, error) = said(&script(&["/nowhere.pkt"]));
    assert_eq!(code, Some(2));
    assert!(error.contains("cannot read /nowhere.pkt"), "{error}");
    assert_eq!(said(&script(&[])).0, Some(2));
}
