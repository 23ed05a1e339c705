//! RFC 862: what comes goes back.

use wirepath_stack::app::{App, Socket};

/// The echo service. What the peer has no room for yet stays unread, and so slows the peer down.
#[derive(Debug, Clone, Copy, Default)]
pub struct Echo;

impl App for Echo {
    type Session = ();

    fn on_text(&mut self, socket: &mut Socket<'_>, (): &mut (), text: &[u8]) -> usize {
        socket.send(text)
    }
}
