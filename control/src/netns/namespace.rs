//! One network namespace, and what becomes of it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::tool::{Error, run};

/// Where `ip netns` keeps its names.
const NAMES: &str = "/run/netns";
const PREFIX: &str = "wp-";

/// The namespaces of this process that are still there.
static LIVING: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static MADE: AtomicU32 = AtomicU32::new(0);

/// A network namespace of `ip netns`, removed with all that runs in it when the value drops.
///
/// Loopback is up. IPv6 addresses are usable at once: duplicate address detection, router
/// solicitations and advertisements are off.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace called `wp-<pid>-<count>-<label>`.
    ///
    /// # Errors
    /// Not root, or no iproute2; the text says which and what to do.
    pub fn new(label: &str) -> Result<Self, Error> {
        let count = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{count}-{label}", process::id());
        let action = format!("make network namespace {name}");
        {
            // Whoever removes all waits until this one is there to be removed.
            let mut living = living();
            run(action, Command::new("ip").args(["netns", "add", &name]))?;
            living.insert(name.clone());
        }
        let this = Self { name };
        this.set_ipv6("accept_dad", "0")?;
        this.set_ipv6("accept_ra", "0")?;
        this.set_ipv6("router_solicitations", "0")?;
        this.ip(&["link", "set", "dev", "lo", "up"])?;
        Ok(this)
    }

    /// The name that `ip netns` knows.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run in this namespace. The process it spawns is the program itself,
    /// so that signals and the exit code are the program's.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs `ip` with these arguments here and returns what it printed.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn ip(&self, args: &[&str]) -> Result<String, Error> {
        let action = format!("run \"ip {}\" in {}", args.join(" "), self.name);
        run(
            action,
            Command::new("ip").args(["-n", &self.name]).args(args),
        )
    }

    /// Runs a tool with these arguments here and returns what it printed.
    ///
    /// # Errors
    /// The tool is missing, or what it says.
    pub fn tool(&self, program: &str, args: &[&str]) -> Result<String, Error> {
        let action = format!("run \"{program} {}\" in {}", args.join(" "), self.name);
        run(action, self.command(program).args(args))
    }

    /// The index that the kernel gave an interface of this namespace.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn interface_index(&self, interface: &str) -> Result<u32, Error> {
        let line = self.ip(&["-o", "link", "show", "dev", interface])?;
        let index = line.split(':').next().and_then(|index| index.parse().ok());
        index.ok_or_else(|| Error::new(format_args!("find the index of {interface}"), line))
    }

    /// Calls `f` on a new thread in this namespace: sockets made there stay there, also when
    /// they are returned. A panic of `f` goes on in the caller.
    ///
    /// # Errors
    /// The thread could not be made or could not enter the namespace.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T, Error> {
        let failed = |error: io::Error| {
            Error::new(format_args!("enter network namespace {}", self.name), error)
        };
        let namespace = File::open(Path::new(NAMES).join(&self.name)).map_err(failed)?;
        let body = || -> io::Result<T> {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(f())
        };
        thread::scope(|scope| {
            let handle = thread::Builder::new()
                .name(self.name.clone())
                .spawn_scoped(scope, body);
            handle?.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
        .map_err(failed)
    }

    /// Sets a sysctl of `net.ipv6.conf` for this namespace's present and future interfaces.
    pub(super) fn set_ipv6(&self, key: &str, value: &str) -> Result<(), Error> {
        let write = |scope| fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/{key}"), value);
        let written = self.run(|| write("all").and_then(|()| write("default")))?;
        let action = format_args!("set the sysctl {key} in {}", self.name);
        written.map_err(|error| Error::new(action, error))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if !living().remove(&self.name) {
            return; // `remove_all` was faster.
        }
        if let Err(error) = remove(&self.name) {
            tracing::warn!("{error}");
        }
    }
}

/// Removes every namespace of this process at once: for the way out that runs no destructors.
pub fn remove_all() {
    let names = std::mem::take(&mut *living());
    for name in names {
        if let Err(error) = remove(&name) {
            tracing::warn!("{error}");
        }
    }
}

/// Removes the namespaces, and what runs in them, whose makers are gone; returns their names.
///
/// # Errors
/// The names cannot be listed, or a namespace not be removed: not root.
pub fn sweep_stale() -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(NAMES) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::new(format_args!("list {NAMES}"), error)),
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut removed = Vec::new();
    for name in names.filter(|name| is_stale(name)) {
        match remove(&name) {
            Ok(()) => removed.push(name),
            // Somebody else who sweeps may have been faster.
            Err(error) if Path::new(NAMES).join(&name).exists() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(removed)
}

fn is_stale(name: &str) -> bool {
    let owner = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split('-').next());
    let owner = owner.and_then(|pid| pid.parse::<u32>().ok());
    owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

fn remove(name: &str) -> Result<(), Error> {
    // A process inside would keep the namespace and its interfaces alive without a name.
    let pids = run(
        format_args!("list what runs in {name}"),
        Command::new("ip").args(["netns", "pids", name]),
    )?;
    for pid in pids
        .lines()
        .filter_map(|pid| pid.trim().parse().ok())
        .filter_map(Pid::from_raw)
    {
        if pid != rustix::process::getpid() {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    run(
        format_args!("remove network namespace {name}"),
        Command::new("ip").args(["netns", "del", name]),
    )?;
    Ok(())
}

fn living() -> MutexGuard<'static, BTreeSet<String>> {
    LIVING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_dead_makers_are_stale() {
        let own = process::id();
        // Above the largest pid that the kernel gives out.
        assert!(is_stale("wp-4194305-0-client"));
        assert!(!is_stale(&format!("wp-{own}-0-client")));
        for foreign in ["wp-", "wp-x-0-client", "other-4194305-0", "4194305"] {
            assert!(!is_stale(foreign), "{foreign}");
        }
    }
}
