//! Crates import only what stands above them, and inherit the workspace's lints.

use toml::{Table, Value};

use crate::{Finding, Kind, SourceFile, Tree};

/// What a crate may import from outside the workspace.
enum ThirdParty {
    /// These and no other.
    Only(&'static [&'static str]),
    /// Whatever does not reach for the platform.
    Portable,
    /// Anything.
    Any,
}

/// Crates that bring in the kernel, threads, clocks or randomness.
const PLATFORM: &[&str] = &[
    "core_affinity",
    "crossbeam",
    "getrandom",
    "libbpf-rs",
    "libbpf-sys",
    "libc",
    "libxdp-sys",
    "mio",
    "nix",
    "rand",
    "rustix",
    "socket2",
    "tokio",
    "xsk-rs",
];

/// Each crate, the crates it may import (and with them whatever those may), and third parties.
/// Arrows go up this list only.
const CRATES: &[(&str, &[&str], ThirdParty)] = &[
    ("wirepath-bpf", &[], ThirdParty::Any),
    (
        "wirepath-wire",
        &[],
        ThirdParty::Only(&["bitflags", "thiserror", "zerocopy"]),
    ),
    (
        "wirepath-tcp",
        &["wirepath-wire"],
        ThirdParty::Only(&["bitflags", "siphasher", "thiserror", "zerocopy"]),
    ),
    ("wirepath-device", &[], ThirdParty::Only(&["thiserror"])),
    ("wirepath-xdp", &["wirepath-device"], ThirdParty::Any),
    (
        "wirepath-stack",
        &["wirepath-wire", "wirepath-tcp", "wirepath-device"],
        ThirdParty::Portable,
    ),
    ("wirepath-host", &["wirepath-stack"], ThirdParty::Portable),
    ("wirepath-sim", &["wirepath-stack"], ThirdParty::Portable),
    ("wirepath-apps", &["wirepath-stack"], ThirdParty::Portable),
    (
        "wirepath",
        &[
            "wirepath-bpf",
            "wirepath-xdp",
            "wirepath-apps",
            "wirepath-host",
        ],
        ThirdParty::Any,
    ),
    (
        "wirepath-bench",
        &["wirepath", "wirepath-sim"],
        ThirdParty::Any,
    ),
    (
        "wirepath-fuzz-cases",
        &["wirepath-host"],
        ThirdParty::Portable,
    ),
    ("wirepath-fuzz", &["wirepath-fuzz-cases"], ThirdParty::Any),
    ("tidy", &[], ThirdParty::Any),
];

/// Nothing imports these, not even a test: they are the ends of the arrows.
const ENDS: &[&str] = &[
    "wirepath",
    "wirepath-bench",
    "wirepath-fuzz-cases",
    "wirepath-fuzz",
    "tidy",
];

/// A package of the repository imports only what the table above lets it.
pub(super) fn direction(tree: &Tree) -> Vec<Finding> {
    tree.of_kind(Kind::Manifest).flat_map(imports_of).collect()
}

fn imports_of(manifest: &SourceFile) -> Vec<Finding> {
    let table: Table = manifest.text.parse().unwrap_or_default();
    let Some(package) = package_name(&table) else {
        return Vec::new();
    };
    let Some((_, _, third_party)) = CRATES.iter().find(|(name, ..)| *name == package) else {
        let message = format!("{package} is unknown: add it to CRATES in tidy's crates.rs");
        return vec![Finding::new(&manifest.path, 1, message)];
    };
    let mut findings = Vec::new();
    for (import, only_tests) in dependencies(&table) {
        let known = CRATES.iter().any(|(name, ..)| *name == import);
        let refusal = match third_party {
            _ if known && only_tests => ENDS.contains(&import.as_str()),
            _ if known => !may_import(&package, &import),
            _ if only_tests => false,
            ThirdParty::Only(listed) => !listed.contains(&import.as_str()),
            ThirdParty::Portable => PLATFORM.contains(&import.as_str()),
            ThirdParty::Any => false,
        };
        if refusal {
            let message = format!("{package} must not import {import}: see CRATES in tidy");
            findings.push(Finding::new(
                &manifest.path,
                line_naming(manifest, &import),
                message,
            ));
        }
    }
    findings
}

fn may_import(package: &str, import: &str) -> bool {
    let direct = CRATES
        .iter()
        .find(|(name, ..)| *name == package)
        .map(|(_, imports, _)| imports);
    direct.is_some_and(|direct| {
        direct
            .iter()
            .any(|direct| *direct == import || may_import(direct, import))
    })
}

/// Every dependency by its package's name, and whether only tests see it.
fn dependencies(table: &Table) -> Vec<(String, bool)> {
    let targets = table.get("target").and_then(Value::as_table);
    let mut tables = vec![table];
    tables.extend(
        targets
            .into_iter()
            .flat_map(Table::values)
            .filter_map(Value::as_table),
    );
    let mut found = Vec::new();
    for table in tables {
        for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let entries = table.get(section).and_then(Value::as_table);
            for (key, value) in entries.into_iter().flatten() {
                let name = value.get("package").and_then(Value::as_str).unwrap_or(key);
                found.push((name.to_owned(), section == "dev-dependencies"));
            }
        }
    }
    found
}

fn package_name(table: &Table) -> Option<String> {
    Some(table.get("package")?.get("name")?.as_str()?.to_owned())
}

fn line_naming(manifest: &SourceFile, name: &str) -> usize {
    let named = |text: &str| text.starts_with(name) || text.contains(&format!("\"{name}\""));
    manifest
        .lines()
        .find(|(_, text)| named(text))
        .map_or(1, |(line, _)| line)
}

/// Every package takes the workspace's lints.
pub(super) fn lints(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.of_kind(Kind::Manifest) {
        let table: Table = manifest.text.parse().unwrap_or_default();
        let inherits = table.get("lints").and_then(|lints| lints.get("workspace"));
        if package_name(&table).is_some() && inherits != Some(&Value::Boolean(true)) {
            let message = "the workspace's lints are not in force: add [lints] workspace = true";
            findings.push(Finding::new(&manifest.path, 1, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        let tree = Tree::of(&[("x/Cargo.toml", &text)]);
        direction(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_arrow_down_the_list_is_found() {
        let found = manifest(
            "wirepath-tcp",
            "[dependencies]\nwirepath-stack.workspace = true\n",
        );
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("x/Cargo.toml:4: wirepath-tcp must not import"),
            "{found:?}"
        );
        let wire = "[dependencies]\nwirepath-wire.workspace = true\n";
        assert_eq!(manifest("wirepath-sim", wire), Vec::<String>::new());
        assert_eq!(manifest("wirepath-device", wire).len(), 1);
    }

    #[test]
    fn a_third_party_off_the_list_is_found_under_any_name() {
        let renamed = "[target.'cfg(unix)'.dependencies]\nos = { package = \"libc\" }\n";
        assert_eq!(manifest("wirepath-stack", renamed).len(), 1);
        assert_eq!(
            manifest("wirepath-wire", "[build-dependencies]\nhashbrown = \"1\"\n").len(),
            1
        );
        assert_eq!(
            manifest("wirepath-wire", "[dev-dependencies]\nproptest = \"1\"\n").len(),
            0
        );
        assert_eq!(
            manifest("wirepath", "[dependencies]\nlibc = \"1\"\n").len(),
            0
        );
    }

    #[test]
    fn nothing_imports_an_end_and_an_unknown_crate_is_asked_for() {
        let tests = "[dev-dependencies]\nwirepath.workspace = true\n";
        assert_eq!(manifest("wirepath-stack", tests).len(), 1);
        assert_eq!(manifest("wirepath-new", "").len(), 1);
    }

    #[test]
    fn a_package_without_the_lints_is_found() {
        let found = lints(&Tree::of(&[
            ("Cargo.toml", "[workspace]\n"),
            (
                "a/Cargo.toml",
                "[package]\nname = \"a\"\n[lints]\nworkspace = true\n",
            ),
            ("b/Cargo.toml", "[package]\nname = \"b\"\n"),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "b/Cargo.toml");
    }
}
