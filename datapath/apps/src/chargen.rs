//! RFC 864: characters without end.

use wirepath_stack::app::{App, Socket};

/// Characters of one line, before its CR LF: RFC 864.
const LINE: usize = 72;
/// Printing characters of ASCII, from space to tilde.
const PRINTING: usize = 95;
/// The pattern repeats when each character has begun a line.
const PERIOD: usize = PRINTING * (LINE + 2);

/// The pattern that RFC 864 suggests, once around: each line begins one character later.
pub static PATTERN: [u8; PERIOD] = pattern();

const fn pattern() -> [u8; PERIOD] {
    let mut bytes = [0; PERIOD];
    let mut at = 0;
    while at < PERIOD {
        let (line, column) = (at / (LINE + 2), at % (LINE + 2));
        bytes[at] = match column {
            LINE => b'\r',
            column if column > LINE => b'\n',
            column => b' ' + ((line + column) % PRINTING) as u8,
        };
        at += 1;
    }
    bytes
}

/// The character generator service. It sends as fast as the peer reads, until the peer closes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chargen;

impl Chargen {
    fn fill(socket: &mut Socket<'_>, position: &mut usize) {
        loop {
            let rest = &PATTERN[*position..];
            let sent = socket.send(rest);
            *position = (*position + sent) % PERIOD;
            if sent < rest.len() {
                return;
            }
        }
    }
}

impl App for Chargen {
    /// Place in the pattern.
    type Session = usize;

    fn on_open(&mut self, socket: &mut Socket<'_>, position: &mut usize) {
        Self::fill(socket, position);
    }

    fn on_text(&mut self, _: &mut Socket<'_>, _: &mut usize, text: &[u8]) -> usize {
        text.len()
    }

    fn on_writable(&mut self, socket: &mut Socket<'_>, position: &mut usize) {
        Self::fill(socket, position);
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE, PATTERN};

    #[test]
    fn each_line_begins_one_character_later() {
        let lines: Vec<&[u8]> = PATTERN.chunks(LINE + 2).collect();
        assert!(lines[0].starts_with(b" !\"#$%") && lines[0].ends_with(b"efg\r\n"));
        assert!(lines[1].starts_with(b"!\"#$%&") && lines[1].ends_with(b"fgh\r\n"));
        assert!(lines[94].starts_with(b"~ !\"#"));
        assert!(
            PATTERN
                .iter()
                .all(|&b| b == b'\r' || b == b'\n' || (b' '..=b'~').contains(&b))
        );
    }
}
