//! The server of the demo: this same program, in the server's namespace.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::api::{Client, Stats};
use crate::netns::{Namespace, Network};

/// How long the server may take to close everything.
const STOP: Duration = Duration::from_secs(5);

/// The running server; dropping it kills it.
pub(super) struct Server {
    child: Child,
    control: PathBuf,
}

impl Server {
    /// Starts it on the last core, and returns when it is ready.
    pub(super) fn start(namespace: &Namespace) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find the wirepath program")?;
        let control = std::env::temp_dir().join(format!("{}.sock", namespace.name()));
        let mut command = namespace.command(program);
        command.args([
            "echo",
            "--interface",
            Network::SERVER_INTERFACE,
            "--idle",
            "spin",
        ]);
        command.arg("--control").arg(&control);
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        if let [_, .., last] = &cores[..] {
            command.args(["--cores", &last.id.to_string()]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let this = Self { child, control };
        // The server names its control socket when all else is ready.
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        if !lines.any(|line| line.starts_with("control socket")) {
            bail!("the server did not start; it says why above");
        }
        Ok(this)
    }

    /// What it counted, after it was told to stop and has.
    pub(super) fn stop(mut self) -> anyhow::Result<Stats> {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stats = tokio.block_on(self.settled())?;
        self.signal(Signal::TERM);
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                if !status.success() {
                    bail!("the server ended with {status}");
                }
                return Ok(stats);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the server did not stop within {} s", STOP.as_secs())
    }

    /// What it counted once the last connections are closed, or after a second.
    async fn settled(&self) -> anyhow::Result<Stats> {
        let client = Client::new(&self.control);
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            let stats = client.stats().await?;
            if stats.open == 0 || Instant::now() >= deadline {
                return Ok(stats);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It may have ended by itself.
        let _ = pid.map(|pid| kill_process(pid, signal));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.control);
    }
}
