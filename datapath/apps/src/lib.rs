//! Services on the stack, each as small as its RFC.
#![forbid(unsafe_code)]

pub mod chargen;
mod discard;
mod echo;
pub mod proxy;
mod services;

pub use chargen::Chargen;
pub use discard::Discard;
pub use echo::Echo;
pub use services::{Role, Service, Services, Session};
