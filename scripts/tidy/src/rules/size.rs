//! Files, functions and lines that fit in one head.

use proc_macro2::{Delimiter, TokenTree};

use crate::scan::{as_group, blank_c, each_level, is_ident, is_punct, line_of};
use crate::{Finding, Kind, SourceFile, Tree};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;

/// A file is at most 600 lines.
pub(super) fn files(tree: &Tree) -> Vec<Finding> {
    let code = tree.files.iter().filter(|file| file.is_code());
    code.filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > FILE_LINES).then(|| {
            let remedy = "split it by subject, or move its tests to tests.rs";
            Finding::new(
                &file.path,
                FILE_LINES,
                format!("{lines} lines of {FILE_LINES}: {remedy}"),
            )
        })
    })
    .collect()
}

/// A line is at most 100 columns.
pub(super) fn lines(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_code()) {
        for (line, text) in file.lines() {
            let columns = text.chars().count();
            if columns > COLUMNS {
                let message = format!("{columns} columns of {COLUMNS}: break the line");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

/// A Rust function, also inside a macro's arguments, is at most 70 lines with its signature.
pub(super) fn rust_functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind(Kind::Rust) {
        each_level(&file.tokens(), &mut |siblings| {
            for (index, pair) in siblings.windows(2).enumerate() {
                let [keyword, TokenTree::Ident(name)] = pair else {
                    continue;
                };
                if !is_ident(Some(keyword), "fn") {
                    continue;
                }
                if let Some(last) = body_end(&siblings[index..]) {
                    findings.extend(judge(file, &name.to_string(), line_of(keyword), last));
                }
            }
        });
    }
    findings
}

/// The line of the brace that closes a function's body; none for a declaration.
fn body_end(siblings: &[TokenTree]) -> Option<usize> {
    let declaration = siblings.iter().position(|tree| is_punct(Some(tree), ';'));
    let signature = &siblings[..declaration.unwrap_or(siblings.len())];
    let body = signature
        .iter()
        .find_map(|tree| as_group(Some(tree), Delimiter::Brace))?;
    Some(body.span_close().end().line)
}

/// A C function is at most 70 lines: from the end of what stands before it to its closing brace.
pub(super) fn c_functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind(Kind::C) {
        let mut depth = 0_usize;
        let mut head = String::new();
        let mut first = 0;
        for (index, text) in blank_c(&file.text).lines().enumerate() {
            if text.trim_start().starts_with('#') {
                continue; // A directive may hold half a pair of braces.
            }
            for c in text.chars() {
                if depth == 0 && head.trim().is_empty() {
                    first = index + 1;
                }
                match c {
                    '{' => depth += 1,
                    '}' => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 && head.contains('(') && !head.contains('=') {
                            findings.extend(judge(file, name_in(&head), first, index + 1));
                        }
                    }
                    _ if depth == 0 => head.push(c),
                    _ => {}
                }
                if depth == 0 && matches!(c, '}' | ';') {
                    head.clear();
                }
            }
        }
    }
    findings
}

fn name_in(head: &str) -> &str {
    let before = head.split('(').next().unwrap_or(head).trim();
    before.rsplit([' ', '*']).next().unwrap_or(before)
}

/// A shell function is at most 70 lines: from `name() {` to the brace in the first column.
pub(super) fn shell_functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind(Kind::Shell) {
        let mut open: Option<(String, usize)> = None;
        for (line, text) in file.lines() {
            if let Some(name) = text.strip_suffix("() {") {
                open = Some((name.to_owned(), line));
            } else if text.starts_with('}')
                && let Some((name, first)) = open.take()
            {
                findings.extend(judge(file, &name, first, line));
            }
        }
    }
    findings
}

fn judge(file: &SourceFile, name: &str, first: usize, last: usize) -> Option<Finding> {
    let lines = last + 1 - first;
    (lines > FUNCTION_LINES).then(|| {
        let message = format!("{name} has {lines} lines of {FUNCTION_LINES}: give its parts names");
        Finding::new(&file.path, first, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(files(&Tree::of(&[("a.rs", &"\n".repeat(600))])), []);
        assert_eq!(
            lines_of(&files(&Tree::of(&[("a.rs", &"\n".repeat(601))]))),
            [600]
        );
        assert_eq!(files(&Tree::of(&[("a.md", &"\n".repeat(601))])), []);
    }

    #[test]
    fn a_long_line_is_found_by_characters() {
        let text = format!("{}\n{}\n", "\u{e9}".repeat(100), "x".repeat(101));
        assert_eq!(lines_of(&lines(&Tree::of(&[("a.c", &text)]))), [2]);
    }

    #[test]
    fn a_long_rust_function_is_found_wherever_it_is() {
        let function =
            |lines: usize| format!("fn f<'a>(x: &'a u8)\n{{{}}}", "\n".repeat(lines - 2));
        let check = |text: &str| lines_of(&rust_functions(&Tree::of(&[("a.rs", text)])));
        assert_eq!(check(&function(70)), []);
        assert_eq!(check(&function(71)), [1]);
        assert_eq!(check(&format!("impl T {{\n{}\n}}", function(71))), [2]);
        assert_eq!(check(&format!("proptest! {{\n\n{}\n}}", function(71))), [3]);
        assert_eq!(
            check(&format!(
                "trait T {{ fn f(); }}\nfn g() {{}}{}",
                "\n".repeat(90)
            )),
            []
        );
    }

    #[test]
    fn a_long_c_function_is_found_and_a_table_is_not() {
        let rows = "\n".repeat(80);
        let text = format!(
            "struct s {{{rows}}};\nint t[] = {{{rows}}};\n/* {{ */\nint f(void)\n{{{rows}}}\n"
        );
        let findings = c_functions(&Tree::of(&[("a.bpf.c", &text)]));
        assert_eq!(lines_of(&findings), [164]);
        assert!(findings[0].message.starts_with("f has 82"), "{findings:?}");
    }

    #[test]
    fn a_long_shell_function_is_found() {
        let text = format!("#!/bin/bash\nf() {{{}}}\n", "\n".repeat(70));
        assert_eq!(lines_of(&shell_functions(&Tree::of(&[("a", &text)]))), [2]);
    }
}
