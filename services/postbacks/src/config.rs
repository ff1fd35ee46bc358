//! The configuration of the service.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::guard::{Guard, PlainHttp};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How to reach Kafka.
    pub kafka: stream::Kafka,
    /// How to reach Redis.
    pub redis: ledger::Redis,
    /// How much one commit carries. Fewer records than elsewhere: each may cause a delivery that carries the whole event into Redis.
    pub batch: stream::BatchLimits,
    /// Rules, and where requests may go.
    pub postbacks: Postbacks,
}

/// The configuration section `postbacks`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Postbacks {
    /// The rules file; reloaded when it changes.
    pub rules: PathBuf,
    /// Networks that are not public and that postbacks may go to all the same.
    pub allow_networks: Vec<IpNet>,
    /// Whether endpoints may be reached without TLS.
    pub allow_http: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kafka: stream::Kafka::default(),
            redis: ledger::Redis::default(),
            batch: stream::BatchLimits { max_records: 5_000, ..stream::BatchLimits::default() },
            postbacks: Postbacks::default(),
        }
    }
}

impl Default for Postbacks {
    fn default() -> Self {
        Self { rules: "/etc/attributary/postbacks.toml".into(), allow_networks: Vec::new(), allow_http: false }
    }
}

impl Postbacks {
    pub(crate) fn guard(&self) -> Guard {
        let http = if self.allow_http { PlainHttp::Allowed } else { PlainHttp::Refused };
        Guard::new(self.allow_networks.clone(), http)
    }
}
