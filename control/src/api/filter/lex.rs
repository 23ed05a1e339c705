//! The words of a filter.

/// Cuts a filter into words, parentheses and operators; operators need no blanks around them.
pub(super) fn lex(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            first if is_operator(first) => rest
                .find(|next: char| !is_operator(next) || (next == '!' && first != '!'))
                .unwrap_or(rest.len()),
            _ => rest
                .find(|next: char| next.is_whitespace() || is_operator(next) || "()".contains(next))
                .unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after.trim_start();
    }
    words
}

fn is_operator(letter: char) -> bool {
    "=!<>&|".contains(letter)
}
