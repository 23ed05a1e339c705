//! Marks of unfinished or careless work.

use proc_macro2::{Delimiter, Group, TokenTree};

use crate::scan::{as_group, each_attribute, each_level, is_ident, is_punct, line_of};
use crate::{Finding, Kind, SourceFile, Tree};

/// The files that may sleep, and why that hides no race.
const SLEEPERS: &[(&str, &str)] = &[
    (
        "bench/src/bed/watch.rs",
        "looks again and again whether memory is still given back, with a deadline",
    ),
    (
        "bench/src/contender/passer.rs",
        "nginx and HAProxy tell nobody that they listen: looks again until a deadline",
    ),
    (
        "control/src/netns/veth.rs",
        "a new link is ready when the kernel says so, and until a deadline",
    ),
    (
        "control/tests/support/mod.rs",
        "the one wait_until, which looks again until its deadline",
    ),
    (
        "datapath/xdp/src/open.rs",
        "the kernel frees a queue some time after its socket closes, and tells nobody",
    ),
];

/// A note of later work names its issue.
pub(super) fn open_ends(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree
        .files
        .iter()
        .filter(|file| file.is_code() || file.path.ends_with(".toml"))
    {
        for (line, text) in file.lines() {
            for mark in [
                concat!("TO", "DO"),
                concat!("FIX", "ME"),
                concat!("XX", "X"),
            ] {
                if text
                    .match_indices(mark)
                    .any(|(at, _)| !is_numbered(&text[at + mark.len()..]))
                {
                    let message = format!("{mark} without an issue: do it, or write {mark}(#12)");
                    findings.push(Finding::new(&file.path, line, message));
                }
            }
        }
    }
    findings
}

fn is_numbered(rest: &str) -> bool {
    let number = rest
        .strip_prefix("(#")
        .and_then(|rest| rest.split_once(')'));
    number.is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}

/// No macro that stands for code not written, or for a look at a value.
pub(super) fn unfinished(tree: &Tree) -> Vec<Finding> {
    let banned = ["todo", "unimplemented", "dbg"];
    tree.of_kind(Kind::Rust)
        .flat_map(|file| macros(file, &banned, "remove it: what is committed is finished"))
        .collect()
}

/// The datapath's libraries do not print.
pub(super) fn prints(tree: &Tree) -> Vec<Finding> {
    let banned = ["print", "println", "eprint", "eprintln"];
    let is_library = |path: &str| {
        path.starts_with("datapath/")
            && path.contains("/src/")
            && !path.contains("/src/bin/")
            && !path.ends_with("/main.rs")
    };
    tree.of_kind(Kind::Rust)
        .filter(|file| is_library(&file.path))
        .flat_map(|file| {
            macros(
                file,
                &banned,
                "count it, or return it: a library does not print",
            )
        })
        .collect()
}

fn macros(file: &SourceFile, banned: &[&str], remedy: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    each_level(&file.tokens(), &mut |siblings| {
        for pair in siblings.windows(2) {
            let [TokenTree::Ident(name), bang] = pair else {
                continue;
            };
            if is_punct(Some(bang), '!') && banned.iter().any(|banned| name == banned) {
                let message = format!("{name}! here: {remedy}");
                findings.push(Finding::new(&file.path, name.span().start().line, message));
            }
        }
    });
    findings
}

/// Nothing sleeps for a fixed time: in a test it hides a race, elsewhere it is a latency.
pub(super) fn sleeps(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind(Kind::Rust) {
        if SLEEPERS.iter().any(|(path, _)| *path == file.path) {
            continue;
        }
        each_level(&file.tokens(), &mut |siblings| {
            for window in siblings.windows(4) {
                let [thread, _, colon, last] = window else {
                    continue;
                };
                let import = as_group(Some(last), Delimiter::Brace);
                let names_sleep = is_ident(Some(last), "sleep")
                    || import.is_some_and(|group| holds_ident(group, "sleep"));
                if is_ident(Some(thread), "thread") && is_punct(Some(colon), ':') && names_sleep {
                    let message = "a fixed sleep: wait for the condition itself, with a deadline";
                    findings.push(Finding::new(&file.path, line_of(last), message));
                }
            }
        });
    }
    findings
}

/// A test that does not run says why.
pub(super) fn bare_ignores(tree: &Tree) -> Vec<Finding> {
    attributes(tree, |group| {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        let bare = is_ident(tokens.first(), "ignore") && tokens.len() == 1;
        bare.then_some("a test ignored without a reason: #[ignore = \"why\"]")
    })
}

/// A lint that is silenced says why.
pub(super) fn bare_allows(tree: &Tree) -> Vec<Finding> {
    attributes(tree, |group| {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        let silences = ["allow", "expect"]
            .iter()
            .any(|word| is_ident(tokens.first(), word));
        let lints = as_group(tokens.get(1), Delimiter::Parenthesis)?;
        let bare = silences && !holds_ident(lints, "reason");
        bare.then_some("a lint silenced without a reason: #[allow(.., reason = \"why\")]")
    })
}

fn attributes(tree: &Tree, judge: impl Fn(&Group) -> Option<&'static str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind(Kind::Rust) {
        each_attribute(&file.tokens(), |group| {
            if let Some(message) = judge(group) {
                findings.push(Finding::new(&file.path, group.span().start().line, message));
            }
        });
    }
    findings
}

fn holds_ident(group: &Group, wanted: &str) -> bool {
    group
        .stream()
        .into_iter()
        .any(|tree| is_ident(Some(&tree), wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rule: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        rule(&Tree::of(&[(path, text)]))
            .iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn a_note_without_an_issue_is_found() {
        let note = concat!("TO", "DO");
        let text = format!("// {note}(#12): fine\n// {note}: later\n// {note}(me)\n");
        assert_eq!(lines(open_ends, "a.rs", &text), [2, 3]);
    }

    #[test]
    fn unfinished_macros_are_found() {
        let text = "fn f() {\n todo!()\n}\nfn todo() { unimplemented!(\"x\") }\n// dbg!(x)\n";
        assert_eq!(lines(unfinished, "a.rs", text), [2, 4]);
    }

    #[test]
    fn a_library_that_prints_is_found() {
        let text = "fn f() {\n println!(\"x\");\n}\n";
        assert_eq!(lines(prints, "datapath/tcp/src/x.rs", text), [2]);
        assert_eq!(lines(prints, "datapath/sim/src/bin/replay.rs", text), []);
        assert_eq!(lines(prints, "control/src/x.rs", text), []);
    }

    #[test]
    fn a_sleep_is_found_called_or_imported() {
        assert_eq!(
            lines(sleeps, "a.rs", "fn f() { std::thread::sleep(d); }"),
            [1]
        );
        assert_eq!(
            lines(sleeps, "a.rs", "use std::thread::{self, sleep};"),
            [1]
        );
        assert_eq!(lines(sleeps, "a.rs", "fn f() { thread::spawn(g); }"), []);
    }

    #[test]
    fn bare_attributes_are_found() {
        assert_eq!(
            lines(
                bare_ignores,
                "a.rs",
                "\n#[ignore]\n#[ignore = \"long\"]\nfn f() {}"
            ),
            [2]
        );
        let text = "#![allow(x)]\n#[allow(y, reason = \"z\")]\n#[expect(y)]\nfn f() {}";
        assert_eq!(lines(bare_allows, "a.rs", text), [1, 3]);
    }
}
