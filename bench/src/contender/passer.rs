//! Proxies that are measured: each in one process, on one core, with one backend behind it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use wirepath::config::{BackendEntry, PoolEntry};
use wirepath::netns::Namespace;
use wirepath::runtime::{Idle, PoolOptions};
use wirepath_apps::Role;
use wirepath_apps::proxy::PoolId;

use super::{Place, Running, WirepathServer, WirepathSettings};

/// How long one may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look whether it does.
const LOOK: Duration = Duration::from_millis(5);
static STARTED: AtomicU32 = AtomicU32::new(0);

/// Who passes connections on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passer {
    /// Ours on AF_XDP, spinning.
    Wirepath,
    /// nginx with its stream module.
    Nginx,
    /// HAProxy in TCP mode.
    Haproxy,
}

/// From where to where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passing {
    pub(crate) front: SocketAddr,
    pub(crate) back: SocketAddr,
    /// The core of its only thread.
    pub(crate) core: Option<usize>,
}

impl Passer {
    /// The program that it is, if it is another's, and the packages that have it.
    const fn program(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Wirepath => None,
            Self::Nginx => Some(("nginx", "nginx-light libnginx-mod-stream")),
            Self::Haproxy => Some(("haproxy", "haproxy")),
        }
    }

    /// Says early that its program is not there.
    ///
    /// # Errors
    /// It is not, and what to do.
    pub(crate) fn check(self) -> anyhow::Result<()> {
        let Some((program, packages)) = self.program() else {
            return Ok(());
        };
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let is_there = std::env::split_paths(&folders).any(|it| it.join(program).exists());
        if !is_there {
            bail!("{program} is not installed: apt-get install {packages}, or leave it out");
        }
        Ok(())
    }

    /// Starts it in this namespace, and returns when clients may connect.
    ///
    /// # Errors
    /// Why it does not start.
    pub(crate) fn start(self, host: &Namespace, passing: &Passing) -> anyhow::Result<Running> {
        let Some((program, _)) = self.program() else {
            let settings = wirepath_settings(passing);
            let server = WirepathServer::start(&Place::In(host), &settings)?;
            return Ok(Running::Wirepath(server));
        };
        let files = Files::new()?;
        let conf = match self {
            Self::Nginx => nginx_conf(&files, passing),
            _ => haproxy_conf(passing),
        };
        let path = files.path("conf");
        fs::write(&path, conf).with_context(|| format!("cannot write {path}"))?;
        let mut command = match passing.core {
            Some(core) => {
                let mut command = host.command("taskset");
                command.args(["--cpu-list", &core.to_string(), program]);
                command
            }
            None => host.command(program),
        };
        match self {
            Self::Nginx => command.args(["-e", &files.path("log"), "-c", &path]),
            _ => command.args(["-db", "-f", &path]),
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.with_context(|| format!("cannot start {program}"))?;
        let mut started = Program {
            child,
            _files: files,
        };
        started.await_listening(host, passing.front)?;
        Ok(Running::Program(started))
    }
}

/// Those of `wirepath proxy --idle spin --cores CORE`.
fn wirepath_settings(passing: &Passing) -> WirepathSettings {
    let tcp = wirepath::config::server_defaults();
    let entry = PoolEntry {
        backends: vec![BackendEntry::new(passing.back)],
        ..PoolEntry::default()
    };
    WirepathSettings {
        role: Role::Proxy(PoolId(0)),
        port: passing.front.port(),
        pools: vec![PoolOptions {
            name: "backends".to_owned(),
            settings: entry.settings(tcp),
        }],
        tcp,
        idle: Idle::Spin,
        core: passing.core,
        capacity: wirepath_stack::limits::Capacity::default(),
    }
}

/// One worker, which takes all connections that wait, and hands on at once what comes.
fn nginx_conf(files: &Files, passing: &Passing) -> String {
    let Passing { front, back, .. } = passing;
    let pid = files.path("pid");
    format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
         daemon off;\nmaster_process off;\npid {pid};\n\
         error_log stderr crit;\n\
         events {{ worker_connections 16384; multi_accept on; accept_mutex off; }}\n\
         stream {{ tcp_nodelay on;\n\
         server {{ listen {front} backlog=65535; proxy_pass {back}; }} }}\n"
    )
}

/// One thread, without logs. More connections want more open files than root may have here and
/// there.
fn haproxy_conf(passing: &Passing) -> String {
    let Passing { front, back, .. } = passing;
    format!(
        "global\n  nbthread 1\n  maxconn 8192\n\
         defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend front\n  bind {front} backlog 65535\n  maxconn 8192\n  default_backend back\n\
         backend back\n  server one {back}\n"
    )
}

/// Files of a program, in a folder that goes when the value does.
struct Files(PathBuf);

impl Files {
    fn new() -> anyhow::Result<Self> {
        let nth = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("wirepath-bench-{}-{nth}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let made = fs::create_dir(&folder);
        made.with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Nobody is hurt by what stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running program; dropping it kills it.
pub(crate) struct Program {
    child: Child,
    _files: Files,
}

impl Program {
    fn await_listening(&mut self, host: &Namespace, at: SocketAddr) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while host.run(|| TcpStream::connect(at))?.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}; it says why above");
            }
            if Instant::now() > deadline {
                bail!("it does not listen at {at} after {PATIENCE:?}");
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Ends it.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("it had ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
