//! The access log: a line of JSON for each connection through a proxy that is over.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use wirepath_apps::proxy::{AccessRecord, Cause};
use wirepath_tcp::time::Instant;

use crate::runtime::{ControlPlane, PoolNumbers};

/// How often records are fetched.
const INTERVAL: Duration = Duration::from_millis(100);
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
#[derive(Debug, Serialize)]
struct Lost {
    time: String,
    lost: u64,
}

/// Says early whether the file can be written.
///
/// # Errors
/// What the kernel says.
pub fn check(file: &Path) -> io::Result<()> {
    open(file).map(drop)
}

/// Writes the log of a server to the end of `file`, until the end. The file is opened anew for
/// each piece, so that it can be moved away at any time.
pub async fn write(file: PathBuf, plane: &ControlPlane) {
    let workers = plane.workers().len();
    let mut empty: Vec<Vec<AccessRecord>> = Vec::new();
    loop {
        tokio::time::sleep(INTERVAL).await;
        while empty.len() < workers {
            empty.push(Vec::with_capacity(RECORDS));
        }
        let (mut text, mut used) = (Vec::new(), Vec::new());
        let numbers = plane.pool_numbers();
        let fetched = plane.exchange_logs(&mut empty, |records, lost, now| {
            lines(&mut text, &records, (lost, now), &numbers);
            used.push(records);
        });
        if let Err(error) = fetched.await {
            tracing::warn!(%error, "the access log misses records");
        }
        for mut buffer in used {
            buffer.clear();
            empty.push(buffer);
        }
        // What the first exchange gives back has no room.
        empty.retain(|buffer| buffer.capacity() > 0);
        if text.is_empty() {
            continue;
        }
        let to = file.clone();
        // A disk may be slow, and connections must not wait for it.
        let write = move || open(&to)?.write_all(&text);
        let written = tokio::task::spawn_blocking(write).await;
        if let Ok(Err(error)) = written {
            let file = file.display();
            tracing::error!("cannot write the access log to {file}: {error}; records are lost");
        }
    }
}

fn open(file: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().create(true).append(true).open(file)
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
