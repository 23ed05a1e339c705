//! The repository keeps its own rules.

use std::path::Path;
use std::process::Command;

use tidy::{Finding, Kind, Tree};

fn repository() -> (&'static Path, Tree) {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    (root, Tree::read(root).expect("the repository can be read"))
}

#[test]
fn every_rule_holds() {
    let (_, tree) = repository();
    assert!(
        tree.get("Cargo.toml").is_some(),
        "the root of the repository was not found"
    );
    let findings = tidy::check(&tree);
    let list: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(
        list.is_empty(),
        "{} findings\n{}\n",
        list.len(),
        list.join("\n")
    );
}

#[test]
fn shell_scripts_pass_shellcheck() {
    let (root, tree) = repository();
    let scripts = tree.of_kind(Kind::Shell).map(|file| file.path.as_str());
    let output = Command::new("shellcheck")
        .arg("-x")
        .args(scripts)
        .current_dir(root)
        .output();
    match output {
        Ok(output) => {
            let report = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "\n{report}");
        }
        Err(error) => eprintln!("skipped: shellcheck does not run ({error}); scripts/test has it"),
    }
}
