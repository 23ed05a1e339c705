//! Between keys and their places in a file.

use std::cmp::Reverse;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::Flaw;
use super::error::ConfigError;

/// A key of a file, and where it stands.
struct Mark {
    /// With its tables: `listener[1].tcp.congestion`.
    key: String,
    name: Range<usize>,
    value: Range<usize>,
}

impl Mark {
    /// The size in bytes of its part that `at` lies within.
    fn around(&self, at: &Range<usize>) -> Option<usize> {
        let parts = [&self.name, &self.value].into_iter();
        let parts = parts.filter(|part| part.start <= at.start && at.end <= part.end);
        parts.map(Range::len).min()
    }
}

/// What a file says, which must be UTF-8.
pub(super) fn text(bytes: Vec<u8>, file: &Path) -> Result<String, ConfigError> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        ConfigError {
            file: file.to_owned(),
            at: Some(line_and_column(&before, valid)),
            key: None,
            problem: format!(
                "byte 0x{:02x} is no UTF-8: save the file as UTF-8",
                error.as_bytes()[valid]
            ),
        }
    })
}

/// What the parser says, with the key it is about.
pub(super) fn locate(error: &toml::de::Error, text: &str, file: &Path) -> ConfigError {
    let at = error.span();
    let marks = marks(text);
    let about = |at: &Range<usize>| {
        let about = marks
            .iter()
            .filter_map(|mark| Some((mark.around(at)?, mark)));
        // The innermost; of an array and its only table, the table.
        let innermost = about.min_by_key(|(size, mark)| (*size, Reverse(mark.key.len())));
        innermost.map(|(_, mark)| mark.key.clone())
    };
    let key = at.as_ref().and_then(about);
    ConfigError {
        file: file.to_owned(),
        at: at.map(|at| line_and_column(text, at.start)),
        key,
        problem: error.message().replace('\n', ", "),
    }
}

/// Where a flaw stands: at its key, or where its table begins.
pub(super) fn find(flaw: &Flaw, text: &str, file: &Path) -> ConfigError {
    let marks = marks(text);
    let place = |key: &str| marks.iter().find(|mark| mark.key == key);
    let parent = || {
        flaw.key
            .rsplit_once('.')
            .and_then(|(parent, _)| place(parent))
    };
    let mark = place(&flaw.key).or_else(parent);
    ConfigError {
        file: file.to_owned(),
        at: mark.map(|mark| line_and_column(text, mark.name.start)),
        key: Some(flaw.key.clone()),
        problem: flaw.problem.clone(),
    }
}

/// All keys of a file that can be parsed.
fn marks(text: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        gather("", table.get_ref(), &mut marks);
    }
    marks
}

fn gather(prefix: &str, table: &DeTable<'_>, marks: &mut Vec<Mark>) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        mark(key, name.span(), value, marks);
    }
}

fn mark(key: String, name: Range<usize>, value: &Spanned<DeValue<'_>>, marks: &mut Vec<Mark>) {
    match value.get_ref() {
        DeValue::Table(table) => gather(&format!("{key}."), table, marks),
        DeValue::Array(values) => {
            for (nth, value) in values.iter().enumerate() {
                mark(format!("{key}[{nth}]"), value.span(), value, marks);
            }
        }
        _ => {}
    }
    let value = value.span();
    marks.push(Mark { key, name, value });
}

/// Both from 1; columns are characters.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[begin..].chars().count() + 1)
}
