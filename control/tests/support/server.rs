//! The `wirepath` program, run as people run it.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use wirepath::api::{Client, Flow, Stats};
use wirepath::netns::{Namespace, Network};

use super::{wait_at_most, wait_until};

/// The program under test.
pub(crate) const WIREPATH: &str = env!("CARGO_BIN_EXE_wirepath");

/// How long a server may take to end: it gives its peers 3 s to close in peace.
const END_WITHIN: Duration = Duration::from_secs(5);

static STARTED: AtomicU32 = AtomicU32::new(0);

/// A path for a control socket that nobody else has.
pub(crate) fn control_path() -> PathBuf {
    let count = STARTED.fetch_add(1, Ordering::Relaxed);
    let name = format!("wirepath-test-{}-{count}.sock", std::process::id());
    std::env::temp_dir().join(name)
}

/// A running server; killed when the value drops, if it has not ended before.
pub(crate) struct Server {
    child: Child,
    namespace: String,
    control: PathBuf,
    log: Log,
}

impl Server {
    /// Starts `wirepath SERVICE ARGUMENTS` on the server's interface of this network, and returns
    /// when it says that it is ready.
    pub(crate) fn start(network: &Network, service: &str, arguments: &[&str]) -> Self {
        Self::start_at(network, service, arguments, control_path())
    }

    /// Starts one whose control socket will be at this path.
    pub(crate) fn start_at(
        network: &Network,
        service: &str,
        arguments: &[&str],
        control: PathBuf,
    ) -> Self {
        let command = server_command(&network.server, service, arguments);
        Self::spawn(network, command, control)
    }

    /// Starts this command on the server's side of this network, with that control socket.
    pub(crate) fn spawn(network: &Network, mut command: Command, control: PathBuf) -> Self {
        let mut child = command
            .arg("--control")
            .arg(&control)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Log::of(child.stderr.take().expect("standard error is a pipe"));
        let mut lines = BufReader::new(child.stdout.take().expect("standard output is a pipe"))
            .lines()
            .map_while(Result::ok);
        // The last line that a server prints before it serves.
        let is_ready = lines.any(|line| line.starts_with("control socket "));
        if !is_ready {
            let status = child.wait().expect("the program can be waited for");
            panic!("the server does not start: {status}: {}", log.whole());
        }
        Self {
            child,
            namespace: network.server.name().to_owned(),
            control,
            log,
        }
    }

    /// What it has said on standard error.
    pub(crate) fn log(&self) -> String {
        self.log.so_far()
    }

    /// Waits until it has said this on standard error.
    pub(crate) fn wait_until_says(&self, words: &str) {
        wait_until(words, || self.log().contains(words));
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn control(&self) -> &Path {
        &self.control
    }

    /// What it has counted, and holds now.
    pub(crate) fn stats(&self) -> Stats {
        self.ask(async |client| client.stats().await)
    }

    /// Its connections now.
    pub(crate) fn flows(&self) -> Vec<Flow> {
        self.ask(async |client| client.flows().await)
    }

    fn ask<T>(&self, question: impl AsyncFnOnce(Client) -> anyhow::Result<T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime of one thread is made");
        let answer = runtime.block_on(question(Client::new(&self.control)));
        answer.unwrap_or_else(|error| panic!("{error:#}; it has said: {}", self.log()))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the server still runs");
    }

    /// Waits until it has ended, and returns how.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_at_most(END_WITHIN, "the server has ended", || {
            status = self.child.try_wait().expect("the server can be waited for");
            status.is_some()
        });
        status.expect("waited for")
    }

    /// Waits until all its connections are gone, and checks that nothing of them is left.
    pub(crate) fn wait_until_quiet(&self) -> Stats {
        let mut stats = Stats::default();
        wait_until("no connection is left", || {
            stats = self.stats();
            stats.open == 0 && stats.half_open == 0 && stats.blocks == 0
        });
        assert!(stats.frames_balance, "{stats:#?}");
        for error in ["ledger_errors", "invariant_errors"] {
            assert_eq!(stats.counters[error], 0, "{error}: {stats:#?}");
        }
        stats
    }

    /// Ends it with SIGTERM when its connections are gone. It leaves nothing behind, and says so
    /// with exit code 0. Returns its last counts.
    pub(crate) fn stop(mut self) -> Stats {
        let stats = self.wait_until_quiet();
        self.signal(Signal::TERM);
        self.check_end();
        stats
    }

    /// Waits for the end of a server that was told to end, which must be as clean as can be.
    pub(crate) fn check_end(&mut self) {
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{status}: {}", self.log());
        assert!(!has_xdp(&self.namespace), "the XDP program is left");
        assert!(!self.control.exists(), "the control socket is left");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the server has said: {}", self.log());
        }
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Killed, it could not do so itself.
        let _ = std::fs::remove_file(&self.control);
    }
}

/// `wirepath SERVICE -i server0 ARGUMENTS`, to be run in this namespace.
pub(crate) fn server_command(namespace: &Namespace, service: &str, arguments: &[&str]) -> Command {
    let mut command = namespace.command(WIREPATH);
    let first = [service, "--interface", Network::SERVER_INTERFACE].map(OsString::from);
    command.args(first).args(arguments);
    command
}

/// Whether an XDP program is on the server's interface.
pub(crate) fn has_xdp(namespace: &str) -> bool {
    let interface = Network::SERVER_INTERFACE;
    let output = Command::new("ip")
        .args(["-n", namespace, "link", "show", "dev", interface])
        .output()
        .expect("ip runs");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    report.contains("xdp")
}

/// What a program says, gathered so that it never waits for a reader.
struct Log {
    text: Arc<Mutex<String>>,
    gatherer: JoinHandle<()>,
}

impl Log {
    fn of(from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let target = Arc::clone(&text);
        let gatherer = thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let mut text = target.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        });
        Self { text, gatherer }
    }

    fn so_far(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// All of it, of a program that has ended.
    fn whole(self) -> String {
        self.gatherer.join().expect("a pipe can be read");
        self.text.lock().unwrap().clone()
    }
}

/// Runs a command that must end by itself soon, and returns its exit code and standard error.
pub(crate) fn run_to_end(mut command: Command) -> (Option<i32>, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let log = Log::of(child.stderr.take().expect("standard error is a pipe"));
    let mut status = None;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        wait_at_most(END_WITHIN, "the program has ended", || {
            status = child.try_wait().expect("the program can be waited for");
            status.is_some()
        });
    }));
    if let Err(panic) = ended {
        let _ = child.kill();
        let _ = child.wait();
        eprintln!("the program has said: {}", log.whole());
        resume_unwind(panic);
    }
    (status.and_then(|status| status.code()), log.whole())
}
