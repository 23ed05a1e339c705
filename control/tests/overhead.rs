//! `scripts/overhead` in short: that it measures at all; what it says is for people. Needs root.

use std::path::Path;
use std::process::Command;

use support::server::WIREPATH;

mod support;

#[test]
fn it_tells_of_each_way_to_look() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/overhead");
    let ways = ["nothing", "headers", "capture", "stats"];
    let mut command = Command::new(script);
    command
        .args(["1", "1"])
        .args(ways)
        .env("WIREPATH", WIREPATH);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), ways.len(), "{said}");
    for (line, way) in lines.iter().zip(ways) {
        assert!(line.starts_with(way), "{line}");
        let mbit = line
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.parse::<f64>().ok());
        assert!(mbit.is_some_and(|mbit| mbit > 0.0), "{line}");
    }
}
