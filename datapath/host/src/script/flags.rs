//! Flags as letters: `S F R P U E W`, `.` for ACK, and `-` for none.

use wirepath_wire::tcp::Flags;

const LETTERS: [(Flags, char); 8] = [
    (Flags::SYN, 'S'),
    (Flags::FIN, 'F'),
    (Flags::RST, 'R'),
    (Flags::PSH, 'P'),
    (Flags::URG, 'U'),
    (Flags::ECE, 'E'),
    (Flags::CWR, 'W'),
    (Flags::ACK, '.'),
];

/// The letters of `flags`.
#[must_use]
pub fn letters(flags: Flags) -> String {
    let set = LETTERS.iter().filter(|(flag, _)| flags.contains(*flag));
    let letters: String = set.map(|(_, letter)| letter).collect();
    if letters.is_empty() {
        "-".to_owned()
    } else {
        letters
    }
}

/// The flag of a letter, if it is one.
#[must_use]
pub fn flag_of(letter: char) -> Option<Flags> {
    if letter == '-' {
        return Some(Flags::empty());
    }
    let found = LETTERS.iter().find(|(_, known)| *known == letter);
    found.map(|(flag, _)| *flag)
}
