//! `docs/rfc.md` says of every requirement what proves it, and says so truly.

use std::collections::{BTreeMap, HashSet};

use proc_macro2::{Delimiter, TokenTree};

use crate::scan::{as_group, each_level, is_ident, is_punct};
use crate::tree::SourceFile;
use crate::{Finding, Kind, Tree};

/// The file with the tables.
const PATH: &str = "docs/rfc.md";

/// The folder with the packet scripts.
const SCRIPTS: &str = "datapath/host/scripts/";

/// The requirements of RFC 9293, appendix B, that must each have one row.
const REQUIRED: &[(&str, std::ops::RangeInclusive<usize>)] =
    &[("MUST", 1..=69), ("SHLD", 1..=31), ("REC", 1..=1)];

/// The class of a row whose first cell is no requirement of RFC 9293 but a section.
const SECTIONS: &str = "sections";

/// What a row may say of its requirement.
const STATES: [&str; 3] = ["done", "excepted", "open"];

/// Done, excepted, open.
type Counts = [usize; 3];

/// One row of a table: its line, from 1, and its cells.
struct Row<'a> {
    line: usize,
    cells: Vec<&'a str>,
}

/// Every requirement has one row, every row a state and its proof, and the counts are right.
pub(super) fn requirements(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.get(PATH) else {
        return Vec::new();
    };
    let rows: Vec<Row<'_>> = file
        .lines()
        .filter_map(|(line, text)| row(line, text))
        .collect();
    let (counts, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.cells.len() == 5);
    let tests = test_names(tree);
    let mut findings = once_each(&rows);
    findings.extend(rows.iter().filter_map(|row| proof(row, &tests)));
    findings.extend(right_counts(&counts, &rows));
    findings
}

/// The cells of a row that says something; heads and rules of tables do not.
fn row(line: usize, text: &str) -> Option<Row<'_>> {
    let inside = text.trim().strip_prefix('|')?;
    let inside = inside.strip_suffix('|').unwrap_or(inside);
    let cells: Vec<&str> = inside.split('|').map(str::trim).collect();
    let is_head = matches!(cells[0], "id" | "section" | "class");
    let is_rule = cells[0].starts_with('-');
    (!is_head && !is_rule).then_some(Row { line, cells })
}

fn say(line: usize, message: impl Into<String>) -> Finding {
    Finding::new(PATH, line, message)
}

fn once_each(rows: &[Row<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let id = row.cells[0];
        if class(id) == SECTIONS {
            continue;
        }
        if let Some(first) = seen.insert(id, row.line) {
            let message = format!("{id} has a row in line {first} already: keep one");
            findings.push(say(row.line, message));
        }
    }
    for (class, numbers) in REQUIRED {
        let ids = numbers.clone().map(|number| format!("{class}-{number}"));
        for id in ids.filter(|id| !seen.contains_key(id.as_str())) {
            let message = format!("{id} of RFC 9293 has no row: add one with its state and proof");
            findings.push(say(1, message));
        }
    }
    findings
}

/// What is wrong with the state or the proof of a row, if anything.
fn proof(row: &Row<'_>, tests: &HashSet<String>) -> Option<Finding> {
    let [id, _, state, proof] = row.cells[..] else {
        return Some(say(
            row.line,
            "a row has four cells: id, rule, state, proof",
        ));
    };
    let message = match state {
        "done" => {
            let names: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
            let missing = names.iter().find(|name| !tests.contains(**name));
            match missing {
                _ if names.is_empty() => format!("{id} is done by no test: name one in backticks"),
                Some(name) => {
                    format!("there is no test {name}: name one that proves {id}, or say open")
                }
                None => return None,
            }
        }
        "excepted" if proof.is_empty() => format!("{id} is excepted without a reason: say why"),
        "open" if !names_issue(proof) => {
            format!("{id} is open without an issue: name it, as in #3")
        }
        "excepted" | "open" => return None,
        _ => format!("{id} has no state: say done, excepted or open"),
    };
    Some(say(row.line, message))
}

fn names_issue(text: &str) -> bool {
    let mut parts = text.split('#').skip(1);
    parts.any(|part| part.starts_with(|first: char| first.is_ascii_digit()))
}

fn right_counts(said: &[Row<'_>], rows: &[Row<'_>]) -> Vec<Finding> {
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    for row in rows {
        let state = row.cells.get(2).copied().unwrap_or_default();
        if let Some(place) = STATES.iter().position(|known| *known == state) {
            counts.entry(class(row.cells[0])).or_default()[place] += 1;
        }
    }
    let mut findings = Vec::new();
    for row in said {
        let class = row.cells[0];
        let [done, excepted, open] = counts.remove(class).unwrap_or_default();
        let all = done + excepted + open;
        let right = [done, excepted, open, all].map(|count| count.to_string());
        if row.cells[1..] != right {
            let message = format!("wrong counts: | {class} | {} |", right.join(" | "));
            findings.push(say(row.line, message));
        }
    }
    for class in counts.keys() {
        findings.push(say(
            1,
            format!("the table of counts has no {class}: add its row"),
        ));
    }
    findings
}

/// `MUST` of `MUST-12`.
fn class(id: &str) -> &str {
    match id.split_once('-') {
        Some((class @ ("MUST" | "SHLD" | "REC" | "MAY"), _)) => class,
        _ => SECTIONS,
    }
}

/// The functions under `#[test]` of all Rust files, and the packet scripts as `topic/name`.
fn test_names(tree: &Tree) -> HashSet<String> {
    let mut names: HashSet<String> = tree.files.iter().filter_map(script).collect();
    for file in tree.of_kind(Kind::Rust) {
        each_level(&file.tokens(), &mut |siblings| {
            let marked = (0..siblings.len()).filter(|&at| is_test_mark(&siblings[at..]));
            names.extend(marked.filter_map(|at| function_after(&siblings[at + 2..])));
        });
    }
    names
}

/// The name of a packet script; a test of its crate plays them all.
fn script(file: &SourceFile) -> Option<String> {
    let name = file.path.strip_prefix(SCRIPTS)?.strip_suffix(".pkt")?;
    Some(name.to_owned())
}

/// Whether `#[test]` stands here.
fn is_test_mark(siblings: &[TokenTree]) -> bool {
    let inside = as_group(siblings.get(1), Delimiter::Bracket).map(|group| group.stream());
    is_punct(siblings.first(), '#')
        && inside.is_some_and(|inside| inside.to_string().trim() == "test")
}

/// The name of the function that the attributes before it belong to.
fn function_after(siblings: &[TokenTree]) -> Option<String> {
    let body = |tree: &TokenTree| as_group(Some(tree), Delimiter::Brace).is_some();
    let until = siblings.iter().position(body).unwrap_or(siblings.len());
    let keyword = siblings[..until]
        .iter()
        .position(|tree| is_ident(Some(tree), "fn"))?;
    match siblings.get(keyword + 1) {
        Some(TokenTree::Ident(name)) => Some(name.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str = "#[test]\nfn it_holds() {}\nfn helper() {}\n\
                         proptest! { #[test] #[cfg(x)] fn it_holds_always(a: u8) {} }\n";

    const SCRIPT: (&str, &str) = ("datapath/host/scripts/close/active.pkt", "0 connect");

    /// The whole of RFC 9293, all done by one test, but for the rows of `instead`.
    fn document(counts: &[&str], instead: &[&str]) -> String {
        let mut lines: Vec<String> = vec!["| class | done | excepted | open | all |".to_owned()];
        lines.extend(counts.iter().map(|&count| count.to_owned()));
        for (class, numbers) in REQUIRED {
            for number in numbers.clone() {
                let start = format!("| {class}-{number} |");
                if !instead.iter().any(|row| row.starts_with(&start)) {
                    lines.push(format!("{start} a rule | done | `it_holds` |"));
                }
            }
        }
        lines.extend(instead.iter().map(|&row| row.to_owned()));
        lines.join("\n")
    }

    const ALL: [&str; 3] = [
        "| MUST | 69 | 0 | 0 | 69 |",
        "| SHLD | 31 | 0 | 0 | 31 |",
        "| REC | 1 | 0 | 0 | 1 |",
    ];

    fn messages(text: &str) -> Vec<String> {
        let findings = requirements(&Tree::of(&[(PATH, text), ("a.rs", TESTS), SCRIPT]));
        let of = |finding: &Finding| finding.to_string();
        findings.iter().map(of).collect()
    }

    #[track_caller]
    fn bites(row: &str, expected: &str) {
        let found = messages(&document(&ALL, &[row]));
        let holds = found
            .first()
            .is_some_and(|message| message.contains(expected));
        assert!(holds, "{row}: {found:?}");
    }

    #[test]
    fn a_document_that_is_right_passes() {
        assert_eq!(messages(&document(&ALL, &[])), [""; 0]);
        let counts = [
            "| MUST | 68 | 1 | 0 | 69 |",
            ALL[1],
            ALL[2],
            "| sections | 1 | 0 | 1 | 2 |",
        ];
        let rows = [
            "| MUST-7 | a rule | excepted | a reason |",
            "| 3.1 | a rule | done | `it_holds_always`, `close/active` |",
            "| 3.1 | another | open | #3: no test yet |",
        ];
        assert_eq!(messages(&document(&counts, &rows)), [""; 0]);
    }

    #[test]
    fn a_row_that_is_missing_or_twice_is_found() {
        let whole = document(&ALL, &[]);
        let without = whole.replace("| MUST-69 |", "| MAY-2 |");
        assert!(messages(&without)[0].starts_with("docs/rfc.md:1: MUST-69 of RFC 9293 has no row"));
        let twice = whole.replace("| SHLD-2 |", "| SHLD-1 |");
        assert!(messages(&twice)[0].contains(":75: SHLD-1 has a row in line 74 already"));
    }

    #[test]
    fn a_row_without_state_or_proof_is_found() {
        bites("| MUST-1 | a rule | | |", "MUST-1 has no state");
        bites("| MUST-1 | a rule | maybe | x |", "MUST-1 has no state");
        bites(
            "| MUST-1 | a rule | done | it holds |",
            "MUST-1 is done by no test",
        );
        bites(
            "| MUST-1 | a rule | done | `it_hold` |",
            "there is no test it_hold:",
        );
        bites(
            "| MUST-1 | a rule | done | `helper` |",
            "there is no test helper:",
        );
        bites("| MUST-1 | a rule | excepted | |", "without a reason");
        bites("| MUST-1 | a rule | open | later |", "without an issue");
        bites("| MUST-1 | a rule | open |", "a row has four cells");
    }

    #[test]
    fn wrong_counts_are_found_with_the_right_ones() {
        let found = messages(&document(
            &["| MUST | 68 | 0 | 0 | 68 |", ALL[1], ALL[2]],
            &[],
        ));
        assert_eq!(
            found,
            ["docs/rfc.md:2: wrong counts: | MUST | 69 | 0 | 0 | 69 |"]
        );
        let found = messages(&document(&ALL[..2], &[]));
        assert_eq!(
            found,
            ["docs/rfc.md:1: the table of counts has no REC: add its row"]
        );
    }
}
