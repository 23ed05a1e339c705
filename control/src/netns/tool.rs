//! Running the tools that configure the kernel, and saying why one failed.

use std::fmt::{self, Display};
use std::io;
use std::process::Command;

/// A network namespace, or something in it, could not be set up.
#[derive(Debug)]
pub struct Error {
    action: String,
    reason: String,
    remedy: Option<String>,
}

impl Error {
    /// What was tried, as "cannot {action}", and why it failed.
    pub(super) fn new(action: impl Display, reason: impl Display) -> Self {
        let (action, reason) = (action.to_string(), reason.to_string());
        let denied = ["not permitted", "ermission denied"]
            .iter()
            .any(|&it| reason.contains(it));
        let remedy = denied.then(|| "run as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN".into());
        Self {
            action,
            reason,
            remedy,
        }
    }

    fn not_started(action: impl Display, program: &str, error: &io::Error) -> Self {
        let mut this = Self::new(action, format_args!("{program}: {error}"));
        if error.kind() == io::ErrorKind::NotFound {
            let package = if program == "ip" { "iproute2" } else { program };
            this.remedy = Some(format!("install the package {package}"));
        }
        this
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.action, self.reason)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Runs a tool to its end and returns what it printed.
///
/// # Errors
/// The tool could not be started or said no; `action` completes "cannot ...".
pub(super) fn run(action: impl Display, command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| Error::not_started(&action, &program, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let reason = match said.as_slice() {
        [] => format!("{program} failed ({})", output.status),
        said => format!("{program}: {}", said.join(" ")),
    };
    Err(Error::new(action, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_why_and_the_remedy() {
        let missing = run("make a link", &mut Command::new("no-such-tool")).unwrap_err();
        let text = missing.to_string();
        assert!(
            text.starts_with("cannot make a link: no-such-tool: No such file"),
            "{text}"
        );
        assert!(
            text.ends_with("; install the package no-such-tool"),
            "{text}"
        );

        let mut denied = Command::new("sh");
        denied.args(["-c", "echo Operation not permitted >&2; exit 1"]);
        let text = run("make a link", &mut denied).unwrap_err().to_string();
        let expected = "cannot make a link: sh: Operation not permitted; run as root, \
                        or with CAP_SYS_ADMIN and CAP_NET_ADMIN";
        assert_eq!(text, expected);

        let text = run("make a link", &mut Command::new("false"))
            .unwrap_err()
            .to_string();
        assert_eq!(text, "cannot make a link: false failed (exit status: 1)");
    }
}
