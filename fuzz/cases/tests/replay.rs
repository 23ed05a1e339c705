//! Every file of every corpus through the check of its target.

use std::path::{Path, PathBuf};

use wirepath_fuzz_cases::{Check, TARGETS};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

fn replay(target: &str) {
    let named = |(name, _): &&(&str, Check)| *name == target;
    let (_, check) = TARGETS.iter().find(named).expect("a target");
    let paths = files(&corpora().join(target));
    assert!(!paths.is_empty(), "the corpus of {target} is empty");
    for path in paths {
        let data = std::fs::read(&path).expect("readable");
        if std::panic::catch_unwind(|| check(&data)).is_err() {
            panic!("{target} fails on {}", path.display());
        }
    }
}

#[test]
fn frames() {
    replay("frame");
}

#[test]
fn options() {
    replay("options");
}

#[test]
fn scripts() {
    replay("script");
}

#[test]
fn segments() {
    replay("segments");
}

#[test]
fn seq_ranges() {
    replay("seq_ranges");
}

#[test]
fn syn_cookies() {
    replay("syn_cookie");
}

#[test]
fn two_peers() {
    replay("two_peers");
}

#[test]
fn wheel() {
    replay("wheel");
}

#[test]
fn every_corpus_has_a_target_and_is_small() {
    let names: Vec<String> = files(&corpora())
        .iter()
        .map(|path| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
    for name in names {
        let paths = files(&corpora().join(&name));
        let size = |path: &PathBuf| path.metadata().expect("readable").len();
        let total: u64 = paths.iter().map(size).sum();
        let small = paths.len() <= 200 && total <= 100 << 10;
        assert!(small, "{name}: {} files, {total} bytes", paths.len());
    }
}
