//! Packet scripts: any text is read or refused by line, and what is read can be played.

use wirepath_host::script::Script;

/// Takes the bytes as a script.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.lines().collect();
    match Script::parse(&text) {
        Err(error) => {
            assert!((1..=lines.len().max(1)).contains(&error.line), "{error}");
            let len = lines.get(error.line - 1).map_or(0, |line| line.len());
            assert!((1..=len + 1).contains(&error.column), "{error}");
        }
        Ok(script) => {
            let trace = match script.play() {
                Ok(played) => played.trace,
                Err(error) => {
                    let line = lines.get(error.line - 1).map(|line| line.trim());
                    assert_eq!(line, Some(error.source_line.as_str()));
                    error.trace
                }
            };
            assert!(trace.len() <= lines.len(), "more happened than was written");
        }
    }
}
