//! The sections of the configuration that belong to the shell itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `admin`, `log` and `shutdown`: every service has them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) admin: Admin,
    pub(crate) log: Log,
    pub(crate) shutdown: Shutdown,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// Where `/livez`, `/readyz`, `/metrics` and `/version` answer.
    pub(crate) listen: SocketAddr,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,stream=debug`.
    pub(crate) level: String,
    /// `text`, `json`, or `auto`: text on a terminal, JSON elsewhere.
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Auto,
    Text,
    Json,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Shutdown {
    /// How long work in flight may take to finish after SIGTERM.
    #[serde(with = "humantime_serde")]
    pub(crate) grace: Duration,
}

impl Settings {
    pub(crate) fn with_admin_port(port: u16) -> Self {
        let admin = Admin { listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port) };
        Self { admin, ..Self::default() }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: Format::Auto }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { grace: Duration::from_secs(30) }
    }
}
