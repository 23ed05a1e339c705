//! The access log: a line of JSON for each connection through a proxy that is over.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wirepath_apps::proxy::{AccessRecord, Cause};
use wirepath_tcp::time::Instant;

use crate::runtime::{ControlPlane, PoolNumbers};

/// How often records are fetched.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long the last lines may take.
const LAST_WRITE: Duration = Duration::from_secs(3);
/// Records that a worker may have in the meantime; more are lost, and counted in a line.
const RECORDS: usize = 16_384;

/// A line, of one connection. Times are in milliseconds since the client's connection was open.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// When it was over.
    time: String,
    client: SocketAddr,
    /// The client's address, which is not its connection's when another proxy told us of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
    listener: SocketAddr,
    pool: &'a str,
    /// The backend that had it, or was tried last.
    backend: Option<SocketAddr>,
    /// Bytes from the client and from the backend.
    bytes_in: u64,
    bytes_out: u64,
    connect_ms: Option<f64>,
    first_byte_ms: Option<f64>,
    duration_ms: f64,
    /// How each side ended.
    client_end: Option<&'static str>,
    backend_end: Option<&'static str>,
    /// Why it got no backend.
    refused: Option<&'static str>,
}

/// Records that found no room.
#[derive(Debug, Serialize, Deserialize)]
struct Lost {
    time: String,
    lost: u64,
}

/// The log of a server. The file is opened anew for each piece, so that it can be moved away at
/// any time.
#[derive(Debug)]
pub struct AccessLog {
    file: PathBuf,
    /// Buffers that workers get for those they have filled.
    empty: Vec<Vec<AccessRecord>>,
    /// Lines that could not be written, and were not told of yet.
    unwritten: u64,
}

impl AccessLog {
    /// A log to the end of `file`, which is made if it is not there.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(file: &Path) -> io::Result<Self> {
        open(file)?;
        Ok(Self {
            file: file.to_owned(),
            empty: Vec::new(),
            unwritten: 0,
        })
    }

    /// Writes what workers have to tell, until it is `closed` as no more will come, and what has
    /// come until then. A disk that does not answer does not keep a server from its end.
    pub async fn write_until(&mut self, closed: watch::Receiver<bool>, plane: &ControlPlane) {
        let file = self.file.clone();
        let mut given_up = closed.clone();
        let patience = async {
            // Also when nobody is there any more to say so.
            let _ = given_up.wait_for(|closed| *closed).await;
            tokio::time::sleep(LAST_WRITE).await;
        };
        tokio::select! {
            () = self.go_on(closed, plane) => {}
            () = patience => {
                let file = file.display();
                tracing::error!("the access log's last lines are lost: {file} cannot be written");
            }
        }
    }

    async fn go_on(&mut self, mut closed: watch::Receiver<bool>, plane: &ControlPlane) {
        // Workers keep nothing before they have a buffer.
        self.write(plane).await;
        let mut is_last = false;
        while !is_last {
            is_last = tokio::select! {
                () = tokio::time::sleep(INTERVAL) => false,
                _ = closed.wait_for(|closed| *closed) => true,
            };
            self.write(plane).await;
        }
    }

    /// Writes what all workers have had to tell since the last time.
    async fn write(&mut self, plane: &ControlPlane) {
        let text = self.fetch(plane).await;
        if text.is_empty() && self.unwritten == 0 {
            return;
        }
        let (file, unwritten) = (self.file.clone(), self.unwritten);
        // A disk may be slow, and connections must not wait for it.
        let append = move || append(&file, &text, unwritten);
        let Ok(appended) = tokio::task::spawn_blocking(append).await else {
            return;
        };
        let before = std::mem::replace(&mut self.unwritten, appended.unwritten);
        if let Some(error) = appended.error.filter(|_| self.unwritten > before) {
            let (file, lost) = (self.file.display(), self.unwritten);
            tracing::error!(
                "cannot write the access log to {file}: {error}; {lost} lines are lost"
            );
        }
    }

    async fn fetch(&mut self, plane: &ControlPlane) -> Vec<u8> {
        while self.empty.len() < plane.workers().len() {
            self.empty.push(Vec::with_capacity(RECORDS));
        }
        let (mut text, mut used) = (Vec::new(), Vec::new());
        let numbers = plane.pool_numbers();
        let fetched = plane.exchange_logs(&mut self.empty, |records, lost, now| {
            lines(&mut text, &records, (lost, now), &numbers);
            used.push(records);
        });
        if let Err(error) = fetched.await {
            tracing::warn!(%error, "the access log misses records");
        }
        for mut buffer in used {
            buffer.clear();
            self.empty.push(buffer);
        }
        // What the first exchange gives back has no room.
        self.empty.retain(|buffer| buffer.capacity() > 0);
        text
    }
}

fn open(file: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().create(true).append(true).open(file)
}

/// What became of lines.
struct Appended {
    error: Option<io::Error>,
    /// Those that are not in the file, with those of before.
    unwritten: u64,
}

/// Adds whole lines to a file: first how many could not be written before, if any, and of `text`
/// as many as there is room for.
fn append(file: &Path, text: &[u8], unwritten: u64) -> Appended {
    let mut all = Vec::new();
    if unwritten > 0 {
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        add(
            &mut all,
            &Lost {
                time,
                lost: unwritten,
            },
        );
    }
    all.extend_from_slice(text);
    let (written, error) = match write_lines(file, &all) {
        Ok(()) => (all.len(), None),
        Err((written, error)) => (written, Some(error)),
    };
    let unwritten = all[written..].split_inclusive(|&byte| byte == b'\n');
    Appended {
        error,
        unwritten: unwritten.map(records_of).sum(),
    }
}

/// How many records a line stands for.
fn records_of(line: &[u8]) -> u64 {
    serde_json::from_slice(line).map_or(1, |Lost { lost, .. }| lost)
}

/// Adds lines to a file; with an error, how many bytes of whole lines are there.
fn write_lines(file: &Path, lines: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut file = open(file).map_err(|error| (0, error))?;
    let mut written = 0;
    while written < lines.len() {
        let error = match file.write(&lines[written..]) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(count) => {
                written += count;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        let whole = lines[..written].iter().rposition(|&byte| byte == b'\n');
        let whole = whole.map_or(0, |end| end + 1);
        // What came of the next line would spoil it.
        if let Ok(about) = file.metadata() {
            let part = (written - whole) as u64;
            let _ = file.set_len(about.len().saturating_sub(part));
        }
        return Err((whole, error));
    }
    Ok(())
}

/// Adds a line for each record; `now` is the time on the clock of the records.
fn lines(
    text: &mut Vec<u8>,
    records: &[AccessRecord],
    (lost, now): (u64, Instant),
    numbers: &PoolNumbers,
) {
    let wall = SystemTime::now();
    let at = |then: Instant| {
        let time = wall.checked_sub(now.since(then)).unwrap_or(wall);
        humantime::format_rfc3339_millis(time).to_string()
    };
    for record in records {
        // To the microsecond.
        let millis = |then: Instant| then.since(record.opened).as_micros() as f64 / 1e3;
        let remote = record.front.remote;
        add(
            text,
            &Line {
                time: at(record.ended),
                client: remote.into(),
                source: (record.source != remote.address).then_some(record.source),
                listener: record.front.local.into(),
                pool: numbers.name(record.pool).unwrap_or_default(),
                backend: record.backend.map(SocketAddr::from),
                bytes_in: record.bytes[0],
                bytes_out: record.bytes[1],
                connect_ms: record.connected.map(millis),
                first_byte_ms: record.first_byte.map(millis),
                duration_ms: millis(record.ended),
                client_end: record.ends[0].map(|end| end.name()),
                backend_end: record.ends[1].map(|end| end.name()),
                refused: record.refused.map(Cause::name),
            },
        );
    }
    if lost > 0 {
        let time = at(now);
        add(text, &Lost { time, lost });
    }
}

fn add(text: &mut Vec<u8>, line: &impl Serialize) {
    // Neither has what JSON does not know, and memory takes all.
    if serde_json::to_writer(&mut *text, line).is_ok() {
        text.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use wirepath_apps::proxy::PoolId;
    use wirepath_tcp::connection::CloseReason;
    use wirepath_wire::tuple::{Endpoint, Tuple};

    use super::*;

    #[test]
    fn what_could_not_be_written_is_told_of_when_it_can() {
        let full = append(Path::new("/dev/full"), b"1\n2\n3\n", 0);
        assert!(full.error.is_some());
        let again = append(Path::new("/dev/full"), b"4\n", full.unwritten);
        assert_eq!(again.unwritten, 4);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let written = append(&file, b"5\n", again.unwritten);
        assert_eq!((written.error.is_none(), written.unwritten), (true, 0));
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains("\"lost\":4}\n5\n"), "{text}");
    }

    #[test]
    fn a_connection_is_a_line_and_what_was_lost_another() {
        let at = Instant::from_millis;
        let record = AccessRecord {
            front: Tuple {
                local: Endpoint::new([192, 0, 2, 1].into(), 8_080),
                remote: Endpoint::new([192, 0, 2, 9].into(), 4_000),
            },
            source: [192, 0, 2, 9].into(),
            pool: PoolId(0),
            backend: Some(Endpoint::new([10, 0, 0, 1].into(), 80)),
            bytes: [100, 2_000],
            opened: at(1_000),
            connected: Some(at(1_001)),
            first_byte: None,
            ended: at(1_500),
            ends: [Some(CloseReason::Finished), Some(CloseReason::Reset)],
            refused: None,
        };
        let refused = AccessRecord {
            backend: None,
            refused: Some(Cause::QueueFull),
            ..record
        };
        let mut text = Vec::new();
        let numbers = PoolNumbers::named(&["web"]);
        lines(&mut text, &[record, refused], (3, at(2_000)), &numbers);
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let line = &lines[0];
        assert_eq!(line["client"], "192.0.2.9:4000");
        assert_eq!(line["backend"], "10.0.0.1:80");
        assert_eq!(line["pool"], "web");
        assert_eq!(
            (&line["bytes_in"], &line["bytes_out"]),
            (&100.into(), &2_000.into())
        );
        assert_eq!(
            (&line["connect_ms"], &line["duration_ms"]),
            (&1.0.into(), &500.0.into())
        );
        assert_eq!(line["first_byte_ms"], Value::Null);
        assert_eq!(
            (&line["client_end"], &line["backend_end"]),
            (&"finished".into(), &"reset".into())
        );
        assert_eq!(line.get("source"), None);
        assert_eq!(line["refused"], Value::Null);
        assert_eq!(lines[1]["refused"], "queue_full");
        assert_eq!(lines[2]["lost"], 3);
    }
}
