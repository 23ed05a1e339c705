//! Every Rust file is part of some crate.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use toml::Value;

use crate::scan::{as_group, as_string, is_ident, is_punct};
use crate::{Finding, Kind, SourceFile, Tree};

/// A file that no `mod` names is dead: nothing compiles, formats or tests it.
pub(super) fn dead(tree: &Tree) -> Vec<Finding> {
    let mut reached = BTreeSet::new();
    for manifest in tree.of_kind(Kind::Manifest) {
        for root in roots(tree, manifest) {
            reach(tree, &root, true, &mut reached);
        }
    }
    tree.of_kind(Kind::Rust)
        .filter(|file| !reached.contains(&file.path))
        .map(|file| {
            Finding::new(
                &file.path,
                1,
                "no crate has this file: add its mod, or delete it",
            )
        })
        .collect()
}

/// The crate roots of one package: where cargo looks by itself, and what the manifest names.
fn roots(tree: &Tree, manifest: &SourceFile) -> Vec<String> {
    let folder = manifest.path.strip_suffix("Cargo.toml").unwrap_or_default();
    let table: toml::Table = manifest.text.parse().unwrap_or_default();
    if !table.contains_key("package") {
        return Vec::new();
    }
    let inside = tree
        .of_kind(Kind::Rust)
        .filter_map(|file| file.path.strip_prefix(folder));
    let mut roots: Vec<String> = inside
        .filter(|path| is_root(path))
        .map(|path| format!("{folder}{path}"))
        .collect();
    for section in ["lib", "bin", "test", "bench", "example"] {
        let targets = match table.get(section) {
            Some(Value::Array(targets)) => targets.clone(),
            Some(target) => vec![target.clone()],
            None => Vec::new(),
        };
        let paths = targets
            .iter()
            .filter_map(|target| target.get("path")?.as_str());
        roots.extend(paths.map(|path| format!("{folder}{path}")));
    }
    roots
}

/// Whether cargo takes the file at this path inside a package for a crate root.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts[..],
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "benches" | "examples", _]
            | ["tests" | "benches" | "examples", _, "main.rs"]
    )
}

fn reach(tree: &Tree, path: &str, is_root: bool, reached: &mut BTreeSet<String>) {
    let Some(file) = tree.get(path) else { return };
    if !reached.insert(path.to_owned()) {
        return;
    }
    let (beside, name) = path.rsplit_once('/').unwrap_or(("", path));
    let below = match name.strip_suffix(".rs") {
        Some(stem) if !is_root && stem != "mod" => join(beside, stem),
        _ => beside.to_owned(),
    };
    for child in children(&file.tokens(), beside, &below) {
        let is_path = child.ends_with(".rs");
        let candidates = if is_path {
            vec![child]
        } else {
            vec![format!("{child}.rs"), join(&child, "mod.rs")]
        };
        for candidate in candidates {
            reach(tree, &candidate, is_path, reached);
        }
    }
}

/// What a file's modules are called: whole paths where the code names one, else without suffix.
fn children(stream: &TokenStream, beside: &str, below: &str) -> Vec<String> {
    let tokens: Vec<TokenTree> = stream.clone().into_iter().collect();
    let mut found = Vec::new();
    let mut named_path = None;
    let mut inline = None;
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1);
        match token {
            TokenTree::Group(group) => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                if is_ident(inside.first(), "path") && is_punct(inside.get(1), '=') {
                    named_path = as_string(inside.get(2)).map(|path| join(beside, &path));
                }
                let folder = inline.take().unwrap_or_else(|| below.to_owned());
                found.extend(children(&group.stream(), beside, &folder));
            }
            TokenTree::Ident(word) if word == "mod" => {
                let Some(TokenTree::Ident(name)) = next else {
                    continue;
                };
                let module = join(below, &name.to_string());
                if as_group(tokens.get(index + 2), Delimiter::Brace).is_some() {
                    inline = Some(module);
                } else {
                    found.push(named_path.take().unwrap_or(module));
                }
            }
            TokenTree::Ident(word) if word == "include" && is_punct(next, '!') => {
                let group = as_group(tokens.get(index + 2), Delimiter::Parenthesis);
                let path =
                    group.and_then(|group| as_string(group.stream().into_iter().next().as_ref()));
                found.extend(path.map(|path| join(beside, &path)));
            }
            _ => {}
        }
    }
    found
}

/// `folder/path`, with `.` and `..` resolved.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: &str = "[package]\nname = \"p\"\n";

    fn dead_paths(files: &[(&str, &str)]) -> Vec<String> {
        dead(&Tree::of(files))
            .into_iter()
            .map(|finding| finding.path)
            .collect()
    }

    #[test]
    fn a_file_without_a_mod_is_found() {
        let files = [
            ("p/Cargo.toml", PACKAGE),
            ("p/src/lib.rs", "mod a;\npub mod b;\n// mod c;\n"),
            ("p/src/a.rs", "mod deep;\n#[cfg(test)]\nmod tests;\n"),
            ("p/src/a/deep.rs", ""),
            ("p/src/a/tests.rs", ""),
            ("p/src/b/mod.rs", "mod x;"),
            ("p/src/b/x.rs", ""),
            ("p/src/c.rs", ""),
        ];
        assert_eq!(dead_paths(&files), ["p/src/c.rs"]);
    }

    #[test]
    fn paths_inline_modules_includes_and_targets_count() {
        let manifest = format!("{PACKAGE}[[bin]]\nname = \"f\"\npath = \"targets/f.rs\"\n");
        let files = [
            ("p/Cargo.toml", manifest.as_str()),
            (
                "p/src/lib.rs",
                "mod a { mod b; }\n#[path = \"../odd/c.rs\"]\nmod c;\n",
            ),
            ("p/src/a/b.rs", "fn f() { include!(\"table.rs\"); }"),
            ("p/src/a/table.rs", ""),
            ("p/odd/c.rs", ""),
            ("p/targets/f.rs", ""),
            ("p/targets/g.rs", ""),
            ("p/tests/t.rs", "mod support;"),
            ("p/tests/support/mod.rs", ""),
            ("p/tests/long/main.rs", "mod part;"),
            ("p/tests/long/part.rs", ""),
        ];
        assert_eq!(dead_paths(&files), ["p/targets/g.rs"]);
    }
}
