//! A whole host as one plain value: the stack, a device of memory, and sockets, in virtual time.
//!
//! A [`Host`] has no clock, thread or randomness: `now` and the secret are arguments, so the same
//! calls give the same packets. IP packets go in with [`Host::inject`] and come out of
//! [`Host::poll`], each with the instant at which it left. Sockets never block.
//!
//! ```
//! use wirepath_host::{Host, HostConfig};
//! use wirepath_tcp::time::Instant;
//! use wirepath_wire::tuple::Endpoint;
//!
//! let [server_address, client_address] = ["192.0.2.1", "192.0.2.2"].map(|a| a.parse().unwrap());
//! let mut server = Host::new(HostConfig::new(server_address, [1; 16]));
//! let mut client = Host::new(HostConfig::new(client_address, [2; 16]));
//! let service = Endpoint::new(server_address, 7);
//!
//! let listener = server.socket();
//! server.bind(listener, service).unwrap();
//! server.listen(listener, 16).unwrap();
//! let socket = client.socket();
//! client.connect(socket, service).unwrap();
//!
//! let mut exchange = |client: &mut Host, server: &mut Host| {
//!     let now = Instant::from_millis(1_000);
//!     for _ in 0..10 {
//!         client.poll(now).iter().for_each(|sent| server.inject(now, &sent.packet));
//!         server.poll(now).iter().for_each(|sent| client.inject(now, &sent.packet));
//!     }
//! };
//! exchange(&mut client, &mut server);
//! let accepted = server.accept(listener).unwrap();
//! client.send(socket, b"hello").unwrap();
//! exchange(&mut client, &mut server);
//! let mut text = [0; 16];
//! let len = server.recv(accepted, &mut text).unwrap();
//! assert_eq!(&text[..len], b"hello");
//! ```
#![forbid(unsafe_code)]

mod app;
mod calls;
mod config;
mod error;
mod host;
mod info;
mod link;
mod options;
pub mod script;
mod socket;

pub use config::HostConfig;
pub use error::SocketError;
pub use host::{Host, Sent};
pub use info::TcpInfo;
pub use options::SocketOptions;
pub use socket::{Readiness, Shutdown, SocketId};
