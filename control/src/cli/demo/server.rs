//! The server of the demo: this same program, in the server's namespace.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::api::{Client, Stats};
use crate::netns::{Namespace, Network};

/// How long the server may take to close everything.
const STOP: Duration = Duration::from_secs(5);

/// The running server; dropping it kills it.
pub(super) struct Server {
    child: Child,
    /// Becomes readable when the child has ended.
    pidfd: OwnedFd,
    control: PathBuf,
}

impl Server {
    /// Starts it on the last core, and returns when it is ready.
    pub(super) fn start(namespace: &Namespace, control: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find the wirepath program")?;
        let mut command = namespace.command(program);
        command.args([
            "echo",
            "--interface",
            Network::SERVER_INTERFACE,
            "--idle",
            "spin",
        ]);
        command.arg("--control").arg(control);
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        if let [_, .., last] = &cores[..] {
            command.args(["--cores", &last.id.to_string()]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("the server has no pid")?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let this = Self {
            child,
            pidfd,
            control: control.to_owned(),
        };
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
        let patience = Timespec::try_from(STOP)?;
        let ended = poll(
            &mut [PollFd::new(&self.pidfd, PollFlags::IN)],
            Some(&patience),
        )?;
        if ended == 0 {
            bail!("the server did not stop within {} s", STOP.as_secs());
        }
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(stats)
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
        // It may have ended by itself.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}
