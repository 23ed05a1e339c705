//! Finding one's way in Rust tokens and in C text.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// Calls `visit` with every group of siblings: the stream itself and each group inside it.
pub(crate) fn each_level(stream: &TokenStream, visit: &mut impl FnMut(&[TokenTree])) {
    let siblings: Vec<TokenTree> = stream.clone().into_iter().collect();
    visit(&siblings);
    for tree in &siblings {
        if let TokenTree::Group(group) = tree {
            each_level(&group.stream(), visit);
        }
    }
}

/// Calls `visit` with every identifier, at any depth.
pub(crate) fn each_ident(stream: &TokenStream, mut visit: impl FnMut(&Ident)) {
    each_level(stream, &mut |siblings| {
        for tree in siblings {
            if let TokenTree::Ident(ident) = tree {
                visit(ident);
            }
        }
    });
}

/// Calls `visit` with the inside of every attribute's brackets, outer and inner.
pub(crate) fn each_attribute(stream: &TokenStream, mut visit: impl FnMut(&Group)) {
    each_level(stream, &mut |siblings| {
        for (index, tree) in siblings.iter().enumerate() {
            let after_bang = usize::from(is_punct(siblings.get(index + 1), '!'));
            if !is_punct(Some(tree), '#') {
                continue;
            }
            if let Some(group) = as_group(siblings.get(index + 1 + after_bang), Delimiter::Bracket)
            {
                visit(group);
            }
        }
    });
}

/// The line, from 1, on which a token starts.
pub(crate) fn line_of(tree: &TokenTree) -> usize {
    tree.span().start().line
}

/// Whether the token is this punctuation.
pub(crate) fn is_punct(tree: Option<&TokenTree>, wanted: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// Whether the token is this identifier.
pub(crate) fn is_ident(tree: Option<&TokenTree>, wanted: &str) -> bool {
    matches!(tree, Some(TokenTree::Ident(ident)) if ident == wanted)
}

/// The group, if the token is one with these delimiters.
pub(crate) fn as_group(tree: Option<&TokenTree>, delimiter: Delimiter) -> Option<&Group> {
    match tree {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

/// The value of a string literal, if the token is one without escapes.
pub(crate) fn as_string(tree: Option<&TokenTree>) -> Option<String> {
    let Some(TokenTree::Literal(literal)) = tree else {
        return None;
    };
    let text = literal.to_string();
    Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

/// C text with comments and literals blanked, every line and column kept.
pub(crate) fn blank_c(text: &str) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = opaque_length(rest);
        let (taken, blank) = match length {
            0 => (first.len_utf8(), false),
            length => (length, true),
        };
        let (part, remainder) = rest.split_at(taken);
        for c in part.chars() {
            blanked.push(if blank && c != '\n' { ' ' } else { c });
        }
        rest = remainder;
    }
    blanked
}

/// How many bytes of a comment or literal stand at the start of `text`.
fn opaque_length(text: &str) -> usize {
    let until = |end: &str, skip: usize| {
        text[skip..]
            .find(end)
            .map_or(text.len(), |at| skip + at + end.len())
    };
    match text.as_bytes() {
        [b'/', b'*', ..] => until("*/", 2),
        [b'/', b'/', ..] => text.find('\n').unwrap_or(text.len()),
        [quote @ (b'"' | b'\''), ..] => {
            let mut escaped = false;
            for (at, byte) in text.bytes().enumerate().skip(1) {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    _ if byte == *quote || byte == b'\n' => return at + 1,
                    _ => {}
                }
            }
            text.len()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanking_keeps_lines_and_code() {
        let c = "a /* {\n */ b \"}\" '{' // {\nc";
        assert_eq!(blank_c(c), format!("a     \n    b{}\nc", " ".repeat(13)));
        assert_eq!(blank_c("a//"), "a  ");
    }

    #[test]
    fn attributes_are_found_at_any_depth() {
        let stream = "#![a] mod m { #[b] fn f() {} }".parse().unwrap();
        let mut found = Vec::new();
        each_attribute(&stream, |group| found.push(group.stream().to_string()));
        assert_eq!(found, ["a", "b"]);
    }
}
