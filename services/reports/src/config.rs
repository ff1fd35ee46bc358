//! What can be set.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) kafka: stream::Kafka,
    pub(crate) redis: ledger::Redis,
    pub(crate) batch: stream::BatchLimits,
    pub(crate) http: Http,
    pub(crate) reports: Reports,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    /// Where `/v1/stats` and `/v1/apps` answer.
    pub(crate) listen: SocketAddr,
}

/// The configuration section `reports`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reports {
    /// How long counters live after their day.
    #[serde(with = "humantime_serde")]
    pub(crate) keep: Duration,
    /// How long the id of a click or impression is remembered after it was counted: a repetition within it counts once.
    /// It must exceed the longest outage of this service that must not count a repetition twice.
    #[serde(with = "humantime_serde")]
    pub(crate) dedupe: Duration,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8081) }
    }
}

impl Default for Reports {
    fn default() -> Self {
        Self { keep: Duration::from_secs(400 * 86_400), dedupe: Duration::from_secs(26 * 3_600) }
    }
}
