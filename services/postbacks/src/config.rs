//! The configuration of the service.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::courier::RECORDED_WITHIN;
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

/// What librdkafka calls the time within which Kafka has a record or never will.
const RECORDED_WITHIN_OPTIONS: [&str; 2] = ["message.timeout.ms", "delivery.timeout.ms"];

impl Config {
    /// A delivery is somebody else's after its lease, and an outcome that reached Kafka later would be a second one.
    pub(crate) fn check(&self) -> Result<(), String> {
        let most = RECORDED_WITHIN.as_millis();
        for name in RECORDED_WITHIN_OPTIONS {
            let set = self.kafka.options.get(name).and_then(|value| value.parse::<u128>().ok());
            if set.is_some_and(|millis| millis > most || millis == 0) {
                return Err(format!("kafka.options.{name} is 1 to {most} for postbacks: a success is recorded once"));
            }
        }
        Ok(())
    }
}

impl Postbacks {
    pub(crate) fn guard(&self) -> Guard {
        let http = if self.allow_http { PlainHttp::Allowed } else { PlainHttp::Refused };
        Guard::new(self.allow_networks.clone(), http)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_outcome_may_not_take_longer_than_the_lease_allows() {
        for (name, value, is_fine) in [
            ("message.timeout.ms", "10000", true),
            ("message.timeout.ms", "10001", false),
            ("message.timeout.ms", "0", false), // for ever
            ("delivery.timeout.ms", "60000", false),
            ("socket.timeout.ms", "60000", true),
        ] {
            let options = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            let config = Config { kafka: stream::Kafka { options, ..Default::default() }, ..Config::default() };
            assert_eq!(config.check().is_ok(), is_fine, "{name} {value}");
        }
    }
}
