//! A contender as a process of its own: this same program, in the server's namespace.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};

use anyhow::{Context, ensure};
use clap::ValueEnum as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wirepath::netns::Namespace;
use wirepath_apps::Service;

use super::{Contender, Place, Serving};

/// What it says when clients may connect.
const READY: &str = "ready";

/// What the process is told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServeArgs {
    #[arg(value_enum)]
    contender: Contender,
    #[arg(long)]
    core: Option<usize>,
    #[arg(long)]
    connections: usize,
}

/// Serves echo until standard input ends.
///
/// # Errors
/// Why it does not start.
pub(crate) fn serve(args: &ServeArgs) -> anyhow::Result<String> {
    let serving = Serving {
        address: args.contender.address(),
        service: Service::Echo,
        core: args.core,
        connections: args.connections,
        churns: false,
    };
    raise_open_files();
    let server = args.contender.start(&Place::Here, &serving)?;
    let mode = server.xdp_mode().unwrap_or_default();
    writeln!(std::io::stdout(), "{READY} {mode}")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.stop()?;
    Ok(String::new())
}

/// Each connection of the kernel is an open file: as many as root may have, or else as are allowed.
pub(crate) fn raise_open_files() {
    let most = std::fs::read_to_string("/proc/sys/fs/nr_open").unwrap_or_default();
    let most = most.trim().parse().ok();
    let allowed = getrlimit(Resource::Nofile).maximum;
    for limit in [most, allowed] {
        let (current, maximum) = (limit, limit);
        // Where it stays too low, whoever opens one too many says so.
        if limit.is_some() && setrlimit(Resource::Nofile, Rlimit { current, maximum }).is_ok() {
            return;
        }
    }
}

/// A running one; dropping it kills it.
pub(crate) struct ServerProcess {
    child: Child,
    mode: Option<&'static str>,
}

impl ServerProcess {
    /// Starts it, and returns when clients may connect.
    ///
    /// # Errors
    /// It does not start; it says itself why.
    pub(crate) fn start(
        namespace: &Namespace,
        contender: Contender,
        serving: &Serving,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let name = contender
            .to_possible_value()
            .context("a contender without a name")?;
        let mut command = namespace.command(program);
        command.args(["serve-contender", name.get_name()]);
        command.args(["--connections", &serving.connections.to_string()]);
        if let Some(core) = serving.core {
            command.args(["--core", &core.to_string()]);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let child = child.context("cannot start the server")?;
        let mut this = Self { child, mode: None };
        let stdout = this
            .child
            .stdout
            .take()
            .context("the server has no output")?;
        let mut said = String::new();
        BufReader::new(stdout).read_line(&mut said)?;
        let mode = said.trim().strip_prefix(READY);
        let mode = mode.with_context(|| format!("{contender} did not start; it says why above"))?;
        this.mode = ["native", "skb"]
            .into_iter()
            .find(|known| *known == mode.trim());
        Ok(this)
    }

    /// Where its XDP program runs, if it has one.
    pub(crate) fn xdp_mode(&self) -> Option<&'static str> {
        self.mode
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Has it end.
    ///
    /// # Errors
    /// It had failed.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait().context("cannot wait for the server")?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
