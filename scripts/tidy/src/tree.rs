//! The files of the repository.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use proc_macro2::TokenStream;

/// What a file is, as far as the rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `*.rs`
    Rust,
    /// `*.c` and `*.h`
    C,
    /// `*.sh`, or anything that starts with `#!` and names a shell
    Shell,
    /// `Cargo.toml`
    Manifest,
    /// Prose and configuration
    Other,
}

/// One text file of the repository.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path from the root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// What it is.
    pub kind: Kind,
}

impl SourceFile {
    /// A file with this text; its kind follows from both.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            kind: kind(path, text),
        }
    }

    /// Whether people write this as a program.
    #[must_use]
    pub fn is_code(&self) -> bool {
        matches!(self.kind, Kind::Rust | Kind::C | Kind::Shell)
    }

    /// The lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// The Rust tokens, without comments and with doc comments as attributes; none if this is
    /// not Rust or does not lex, which the compiler tells better.
    #[must_use]
    pub fn tokens(&self) -> TokenStream {
        if self.kind != Kind::Rust {
            return TokenStream::new();
        }
        self.text.parse().unwrap_or_default()
    }
}

fn kind(path: &str, text: &str) -> Kind {
    let path = Path::new(path);
    let shebang = text.lines().next().unwrap_or_default();
    match path.extension().and_then(OsStr::to_str) {
        Some("rs") => Kind::Rust,
        Some("c" | "h") => Kind::C,
        Some("sh") => Kind::Shell,
        _ if path.file_name() == Some(OsStr::new("Cargo.toml")) => Kind::Manifest,
        _ if shebang.starts_with("#!") && shebang.ends_with("sh") => Kind::Shell,
        _ => Kind::Other,
    }
}

/// All text files of the repository.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The files, sorted by path.
    pub files: Vec<SourceFile>,
}

impl Tree {
    /// Reads what git tracks or would track under `root`; without git, all but hidden folders
    /// and `target`.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut paths = match tracked(root) {
            Some(paths) => paths,
            None => walk(root, Path::new(""))?,
        };
        paths.sort();
        paths.dedup();
        let mut files = Vec::new();
        for path in paths {
            let whole = root.join(&path);
            if !whole.is_file() {
                continue; // Deleted and not yet committed.
            }
            if let Ok(text) = String::from_utf8(fs::read(&whole)?) {
                files.push(SourceFile::new(&path.to_string_lossy(), &text));
            }
        }
        Ok(Self { files })
    }

    /// A tree of these paths and texts, for tests.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self {
            files: files
                .iter()
                .map(|(path, text)| SourceFile::new(path, text))
                .collect(),
        }
    }

    /// The files of one kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(move |file| file.kind == kind)
    }

    /// The file at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

fn tracked(root: &Path) -> Option<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard", "-z"])
        .current_dir(root)
        .output()
        .ok()?;
    let listing = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<_> = listing
        .split('\0')
        .filter(|p| !p.is_empty())
        .map(PathBuf::from)
        .collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn walk(root: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        let path = folder.join(&name);
        if !entry.file_type()?.is_dir() {
            paths.push(path);
        } else if name != "target" && name != ".git" {
            paths.extend(walk(root, &path)?);
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_from_name_or_shebang() {
        assert_eq!(kind("a/b.rs", ""), Kind::Rust);
        assert_eq!(kind("bpf/steer.bpf.c", ""), Kind::C);
        assert_eq!(kind("scripts/test", "#!/usr/bin/env bash\n"), Kind::Shell);
        assert_eq!(
            kind("scripts/plot", "#!/usr/bin/env python3\n"),
            Kind::Other
        );
        assert_eq!(kind("control/Cargo.toml", ""), Kind::Manifest);
    }

    #[test]
    fn the_walk_and_git_see_this_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(
            walk(root, Path::new(""))
                .unwrap()
                .contains(&PathBuf::from("src/tree.rs"))
        );
        assert!(Tree::read(root).unwrap().get("src/tree.rs").is_some());
    }
}
