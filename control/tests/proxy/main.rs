//! `wirepath proxy` between Linux clients and Linux backends. Needs root.

#[path = "../support/mod.rs"]
mod support;

mod balance;
mod endings;
mod interfaces;
mod programs;
mod reload;
mod text;
mod told;

use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;

use support::client::{self, SHARED_V4};
use support::file::File;
use support::server::Server;
use wirepath::api::{BackendStats, PoolStats};
use wirepath::netns::Network;

/// Where the proxy listens.
const FRONT: SocketAddr = SocketAddr::new(SHARED_V4, 8_080);

/// `wirepath proxy` before these backends.
fn proxy(network: &Network, backends: &[SocketAddr], flags: &[&str]) -> Server {
    let to: Vec<String> = backends.iter().map(ToString::to_string).collect();
    let (to, address) = (to.join(","), SHARED_V4.to_string());
    let mut arguments = vec!["--listen", "8080", "--to", &to, "--address", &address];
    arguments.extend(flags);
    Server::start(network, "proxy", &arguments)
}

/// What a server with one pool is told: these settings of the pool, and these backends, each with
/// settings of its own.
fn file_of(settings: &str, backends: &[(SocketAddr, &str)]) -> String {
    let mut text = format!(
        "addresses = [\"{SHARED_V4}\"]\n\
         [[listener]]\nservice = \"proxy\"\nlisten = 8080\npool = \"web\"\n\
         [[pool]]\nname = \"web\"\n{settings}\n"
    );
    for (at, settings) in backends {
        text += &format!("[[pool.backend]]\naddress = \"{at}\"\n{settings}\n");
    }
    text
}

/// Backends without settings of their own.
fn plain(backends: &[SocketAddr]) -> Vec<(SocketAddr, &'static str)> {
    backends.iter().map(|&at| (at, "")).collect()
}

/// `wirepath serve` of a file that says this.
fn serve(network: &Network, text: &str) -> (File, Server) {
    let file = File::new(text);
    let server = Server::start(network, "serve", &["--config", file.path()]);
    (file, server)
}

/// Whether a client is reset before it is told anything, by the proxy's handshake's end or later.
fn is_reset(network: &Network) -> bool {
    let stream = client::try_connect(&network.client, FRONT);
    let read = stream.and_then(|mut stream| stream.read(&mut [0]));
    read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

/// What the only pool of a proxy has counted.
fn pool(server: &Server) -> PoolStats {
    let pools = server.stats().pools;
    pools.into_values().next().expect("it has a pool")
}

/// What is known of the backend at `at`.
fn backend(server: &Server, at: SocketAddr) -> BackendStats {
    let mut backends = pool(server).backends.into_iter();
    backends
        .find(|backend| backend.address == at)
        .unwrap_or_else(|| panic!("there is no backend {at}"))
}
