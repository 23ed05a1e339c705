//! `unsafe` only where it is named here.

use crate::scan::each_ident;
use crate::{Finding, Kind, SourceFile, Tree};

/// The files that may hold unsafe code, and why they must.
const MODULES: &[(&str, &str)] = &[
    (
        "bench/src/contender/uring.rs",
        "the kernel reads and writes buffers while operations are under way",
    ),
    (
        "bpf/src/attach.rs",
        "libbpf's bpf_link_create has no safe wrapper that takes flags",
    ),
    (
        "bpf/tests/attach.rs",
        "unshare could take the descriptor table along",
    ),
    (
        "datapath/xdp/src/prefetch.rs",
        "the instruction takes a pointer",
    ),
    (
        "datapath/xdp/src/interface.rs",
        "ethtool is an ioctl with a union",
    ),
    (
        "datapath/xdp/src/rings.rs",
        "slots of shared memory become slices, and rings take addresses",
    ),
    (
        "datapath/xdp/src/socket.rs",
        "options of sockets that no safe wrapper has",
    ),
    (
        "datapath/xdp/tests/lab/mod.rs",
        "unshare could take the descriptor table along",
    ),
];

/// The packages that cannot forbid unsafe code as a whole. Their roots deny it, and the named
/// modules allow it.
const DENY_ONLY: &[&str] = &["bench/", "bpf/", "control/", "datapath/xdp/"];

/// Unsafe code stands only in the files named above.
pub(super) fn named_modules(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind(Kind::Rust) {
        if MODULES.iter().any(|(path, _)| *path == file.path) {
            continue;
        }
        each_ident(&file.tokens(), |ident| {
            if ident == "unsafe" {
                let message = "unsafe outside the modules named for it: use a safe wrapper, or \
                               move it to one of MODULES in scripts/tidy/src/rules/unsafety.rs";
                findings.push(Finding::new(&file.path, ident.span().start().line, message));
            }
        });
    }
    findings
}

/// The list above names only files that hold unsafe code.
pub(super) fn stale_names(tree: &Tree) -> Vec<Finding> {
    let is_needed = |path: &str| {
        let mut needed = false;
        let tokens = tree.get(path).map(SourceFile::tokens).unwrap_or_default();
        each_ident(&tokens, |ident| needed |= ident == "unsafe");
        needed
    };
    let stale = MODULES.iter().filter(|(path, _)| !is_needed(path));
    stale
        .map(|(path, _)| Finding::new(path, 1, "no unsafe here: strike it off MODULES"))
        .collect()
}

/// Every library and program forbids unsafe code, or denies it where a module needs it.
pub(super) fn crate_roots(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind(Kind::Rust).filter(|file| is_root(&file.path)) {
        let may_deny = DENY_ONLY.iter().any(|folder| file.path.starts_with(folder));
        let has = |level: &str| {
            let wanted = format!("#![{level}(unsafe_code)]");
            file.lines().any(|(_, text)| text == wanted)
        };
        let keeps = has("forbid") || (may_deny && has("deny"));
        if !keeps {
            let level = if may_deny { "deny" } else { "forbid" };
            let message = format!("the crate lets unsafe code in: add #![{level}(unsafe_code)]");
            findings.push(Finding::new(&file.path, 1, message));
        }
    }
    findings
}

fn is_root(path: &str) -> bool {
    ["src/lib.rs", "src/main.rs"]
        .iter()
        .any(|root| path.ends_with(root))
        || path
            .rsplit_once('/')
            .is_some_and(|(folder, _)| folder.ends_with("src/bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_is_found_in_code_only() {
        let text = "// unsafe\nconst A: &str = \"unsafe\";\nfn f() { unsafe { g() } }\n";
        let findings = named_modules(&Tree::of(&[("a.rs", text), (MODULES[0].0, text)]));
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].path.as_str(), findings[0].line), ("a.rs", 3));
    }

    #[test]
    fn a_name_without_need_is_found() {
        let safe: Vec<_> = MODULES
            .iter()
            .map(|(path, _)| (*path, "// unsafe"))
            .collect();
        assert_eq!(stale_names(&Tree::of(&safe)).len(), MODULES.len());
        let needed: Vec<_> = MODULES
            .iter()
            .map(|(path, _)| (*path, "unsafe {}"))
            .collect();
        assert_eq!(stale_names(&Tree::of(&needed)), []);
    }

    #[test]
    fn a_root_without_the_attribute_is_found() {
        let deny = "#![deny(unsafe_code)]\n";
        let findings = crate_roots(&Tree::of(&[
            ("datapath/tcp/src/lib.rs", deny),
            ("datapath/xdp/src/lib.rs", deny),
            ("control/src/main.rs", "#![forbid(unsafe_code)]\n"),
            ("bpf/src/lib.rs", "// #![deny(unsafe_code)]\n"),
            ("bpf/src/counters.rs", ""),
        ]));
        let paths: Vec<_> = findings
            .iter()
            .map(|finding| finding.path.as_str())
            .collect();
        assert_eq!(paths, ["datapath/tcp/src/lib.rs", "bpf/src/lib.rs"]);
    }
}
