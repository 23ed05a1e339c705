//! Requests as anybody writes them, byte by byte.

use std::io::{Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Long enough for any answer, so that a stall is an error, no hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The sentence of a request that was not met with this status.
    pub(crate) fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let json = self.json();
        let error = json["error"].as_str().expect("a sentence");
        assert!(!error.is_empty() && !error.ends_with('\n'), "{self:?}");
        error.to_owned()
    }
}

/// A client of the control socket that has not said anything.
pub(crate) fn connect(control: &Path) -> UnixStream {
    let stream = UnixStream::connect(control).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that comes until the server hangs up.
pub(crate) fn answer(mut stream: impl Read) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    // Not every body is text.
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// The head of a request for one answer.
pub(crate) fn head(method: &str, resource: &str, body_len: usize) -> String {
    format!(
        "{method} {resource} HTTP/1.1\r\nhost: wirepath\r\nconnection: close\r\n\
         content-length: {body_len}\r\n\r\n"
    )
}

/// Asks once.
pub(crate) fn ask(control: &Path, method: &str, resource: &str, body: &str) -> Answer {
    let mut stream = connect(control);
    let request = head(method, resource, body.len()) + body;
    // A server that has read enough may have hung up.
    let _ = stream.write_all(request.as_bytes());
    answer(&stream)
}

/// Asks for a resource.
pub(crate) fn get(control: &Path, resource: &str) -> Answer {
    ask(control, "GET", resource, "")
}
