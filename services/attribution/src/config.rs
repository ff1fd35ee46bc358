//! The configuration of the service.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub kafka: stream::Kafka,
    pub redis: ledger::Redis,
    pub batch: stream::BatchLimits,
    pub apps: AppsFile,
    pub dedupe: Dedupe,
    /// How long after an install its touches may still be appended: decisions stay this far behind.
    #[serde(with = "humantime_serde")]
    pub hold: Duration,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppsFile {
    /// `[[app]]` with `id` and `windows`; other services read other fields. A missing file means the default windows.
    pub file: PathBuf,
}

/// An event id that is seen again is dropped.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dedupe {
    /// Within this time a repeated event id is dropped for certain.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
    /// How long event ids are remembered: the window, and the longest time that this service may be down without letting
    /// a repeated event through.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
}

const LONGEST_HOLD: Duration = Duration::from_secs(60);

impl Default for Config {
    fn default() -> Self {
        Self {
            kafka: stream::Kafka::default(),
            redis: ledger::Redis::default(),
            batch: stream::BatchLimits::default(),
            apps: AppsFile::default(),
            dedupe: Dedupe::default(),
            hold: Duration::from_secs(5),
        }
    }
}

impl Default for AppsFile {
    fn default() -> Self {
        Self { file: "/etc/attributary/apps.toml".into() }
    }
}

impl Default for Dedupe {
    fn default() -> Self {
        Self { window: Duration::from_secs(3_600), keep: Duration::from_secs(26 * 3_600) }
    }
}

impl Config {
    /// Names the key that cannot be as it is.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.dedupe.keep <= self.dedupe.window {
            return Err(
                "dedupe.keep must be longer than dedupe.window: the difference is how long an outage may last".into()
            );
        }
        if self.hold > LONGEST_HOLD {
            return Err(format!("hold is at most {LONGEST_HOLD:?}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_cannot_be_as_it_is_is_named() {
        let dedupe = |window, keep| Dedupe { window: Duration::from_secs(window), keep: Duration::from_secs(keep) };
        for (config, named) in [
            (Config { dedupe: dedupe(60, 60), ..Config::default() }, Some("dedupe.keep")),
            (Config { dedupe: dedupe(60, 61), ..Config::default() }, None),
            (Config { hold: Duration::from_secs(61), ..Config::default() }, Some("hold")),
            (Config { hold: Duration::ZERO, ..Config::default() }, None),
        ] {
            let refused = config.check().err();
            assert_eq!(refused.is_some(), named.is_some(), "{refused:?}");
            assert!(refused.unwrap_or_default().starts_with(named.unwrap_or_default()));
        }
    }
}
