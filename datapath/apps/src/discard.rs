//! RFC 863: what comes is thrown away.

use wirepath_stack::app::{App, Socket};

/// The discard service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Discard;

impl App for Discard {
    type Session = ();

    fn on_text(&mut self, _socket: &mut Socket<'_>, (): &mut (), text: &[u8]) -> usize {
        text.len()
    }
}
