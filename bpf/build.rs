//! Builds the XDP program and its skeleton, and writes the verdicts of `verdicts.h` as an enum.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use libbpf_cargo::SkeletonBuilder;

const SOURCES: &str = "src/bpf";

fn main() {
    println!("cargo:rerun-if-changed={SOURCES}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    build_program(&out.join("steer.skel.rs"));
    let table = fs::read_to_string(Path::new(SOURCES).join("verdicts.h")).expect("verdicts.h");
    fs::write(out.join("verdicts.rs"), verdicts(&table)).expect("OUT_DIR is writable");
}

fn build_program(skeleton: &Path) {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets CARGO_CFG_TARGET_ARCH");
    SkeletonBuilder::new()
        .source(Path::new(SOURCES).join("steer.bpf.c"))
        .clang_args([
            "-Wall".to_owned(),
            "-Werror".to_owned(),
            // Debian and Ubuntu keep <asm/types.h> here, which clang does not search for bpf.
            format!("-I/usr/include/{arch}-linux-gnu"),
        ])
        .build_and_generate(skeleton)
        .unwrap_or_else(|error| panic!("the XDP program did not build: {error:#}"));
}

/// One `name, Variant, Action, help` quadruple a line, in a call of the `verdicts!` macro.
fn verdicts(table: &str) -> String {
    let mut code = String::from("verdicts! {\n");
    for line in table.lines() {
        let Some(row) = line
            .strip_prefix("VERDICT(")
            .and_then(|row| row.strip_suffix(')'))
        else {
            continue;
        };
        let mut columns = row.splitn(3, ", ");
        let [Some(name), Some(action), Some(help)] = [(); 3].map(|()| columns.next()) else {
            panic!("verdicts.h: `{line}` is not VERDICT(name, action, help)");
        };
        writeln!(
            code,
            "    {}, \"{name}\", {}, {help};",
            camel(name),
            camel(action)
        )
        .expect("a String takes all");
    }
    code + "}\n"
}

fn camel(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + &rest.to_lowercase()
    };
    name.split('_').map(word).collect()
}
