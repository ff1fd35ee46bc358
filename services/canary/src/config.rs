//! What can be set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) kafka: stream::Kafka,
    pub(crate) canary: Canary,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Canary {
    /// The URL of ingest.
    pub(crate) ingest: String,
    /// The URL of reports.
    pub(crate) reports: String,
    /// The app that canaries belong to; nobody else should send for it.
    pub(crate) app: String,
    /// The app's key, where ingest asks for one.
    pub(crate) secret_key: Option<String>,
    /// How often one is sent.
    #[serde(with = "humantime_serde")]
    pub(crate) every: Duration,
    /// What has not come out after this time counts as lost.
    #[serde(with = "humantime_serde")]
    pub(crate) deadline: Duration,
}

impl Default for Canary {
    fn default() -> Self {
        Self {
            ingest: "http://127.0.0.1:8080".into(),
            reports: "http://127.0.0.1:8081".into(),
            app: "attributary.canary".into(),
            secret_key: None,
            every: Duration::from_secs(60),
            deadline: Duration::from_secs(30),
        }
    }
}
