//! `[[listener]]`: who waits where.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use wirepath_apps::proxy::PoolId;
use wirepath_apps::{Role, Service};

use super::choices::ServiceChoice;
use super::setting::{Setting, Written, written_as_setting};
use super::tcp::TcpSettings;

/// A port of all addresses, or of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The one address; `None` for all that are served.
    pub address: Option<IpAddr>,
    /// The port, from 1.
    pub port: u16,
}

impl Place {
    /// Whether some endpoint is of both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let differ = match (self.address, other.address) {
            (Some(one), Some(another)) => one != another,
            _ => false,
        };
        self.port == other.port && !differ
    }
}

impl Setting for Place {
    fn allowed() -> String {
        "a port from 1 to 65535, or ADDRESS:PORT such as \"192.0.2.1:80\" or \"[2001:db8::1]:80\""
            .to_owned()
    }

    fn read(written: &Written) -> Option<Self> {
        let place = match written {
            Written::Integer(port) => Self {
                address: None,
                port: u16::try_from(*port).ok()?,
            },
            Written::Text(_) => {
                let endpoint = SocketAddr::read(written)?;
                Self {
                    address: Some(endpoint.ip()),
                    port: endpoint.port(),
                }
            }
        };
        (place.port > 0).then_some(place)
    }

    fn write(&self) -> Written {
        match self.address {
            None => Written::Integer(self.port.into()),
            Some(address) => Written::Text(SocketAddr::new(address, self.port).to_string()),
        }
    }
}

written_as_setting!([] Place);

impl Setting for SocketAddr {
    fn allowed() -> String {
        "ADDRESS:PORT such as \"192.0.2.10:80\" or \"[2001:db8::1]:80\", the port from 1".to_owned()
    }

    fn read(written: &Written) -> Option<Self> {
        let endpoint: Self = written.text()?.parse().ok()?;
        (endpoint.port() > 0).then_some(endpoint)
    }

    fn write(&self) -> Written {
        Written::Text(self.to_string())
    }
}

impl Setting for IpNet {
    fn allowed() -> String {
        "a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"; one address has /32 or /128"
            .to_owned()
    }

    fn read(written: &Written) -> Option<Self> {
        written.text()?.parse().ok()
    }

    fn write(&self) -> Written {
        Written::Text(self.to_string())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            None => write!(f, "port {}", self.port),
            Some(address) => SocketAddr::new(address, self.port).fmt(f),
        }
    }
}

/// One listener of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table [[listener]]")]
pub struct ListenerEntry {
    /// What waits there.
    pub service: ServiceChoice,
    /// Where; by default at the port that the service's RFC gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<Place>,
    /// The name of the pool, where the service is a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Networks of clients that may connect, and that may not.
    #[serde(
        default,
        deserialize_with = "super::setting::deserialize_all",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub allow: Vec<IpNet>,
    /// See `allow`.
    #[serde(
        default,
        deserialize_with = "super::setting::deserialize_all",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub deny: Vec<IpNet>,
    /// Settings of its connections, over those of all.
    #[serde(default, skip_serializing_if = "TcpSettings::is_silent")]
    pub tcp: TcpSettings,
}

impl ListenerEntry {
    /// Where it listens; `None` where neither it nor an RFC says.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let service = Option::<Service>::from(self.service);
        let standard = service.map(|service| Place {
            address: None,
            port: service.port(),
        });
        self.listen.or(standard)
    }

    /// What it does, where pools have these numbers; `None` for a pool that has none.
    #[must_use]
    pub fn role(&self, number: impl Fn(&str) -> Option<PoolId>) -> Option<Role> {
        match Option::from(self.service) {
            Some(service) => Some(Role::Service(service)),
            None => number(self.pool.as_deref()?).map(Role::Proxy),
        }
    }
}
