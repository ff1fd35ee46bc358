//! How to reach Kafka, and the settings that the promises need.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use serde::{Deserialize, Deserializer, Serialize};
use tracing::{debug, error, warn};

use crate::{Error, Result};

/// The configuration section `kafka`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// Bootstrap servers, `host:port` separated by commas.
    pub brokers: String,
    /// Consumer groups are `<group>.<stage>`; the service's name if absent.
    pub group: Option<String>,
    /// Stands in the transactional id; host name and admin port if absent.
    pub instance: Option<String>,
    /// Passed to librdkafka as it is: TLS, SASL, tuning. In the environment each dot is two underscores.
    #[serde(deserialize_with = "flat")]
    pub options: BTreeMap<String, String>,
}

/// The configuration section `batch`: how much one commit carries.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchLimits {
    /// Records in one commit, over all partitions.
    pub max_records: usize,
    /// How long a commit gathers records.
    #[serde(with = "humantime_serde")]
    pub max_wait: Duration,
}

/// What the promises rest on, and no operator may set otherwise.
const PROTECTED: [&str; 9] = [
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "isolation.level",
    "enable.idempotence",
    "acks",
    "request.required.acks", // another name of the same
    "partitioner",
    "transactional.id",
];

/// The settings of every consumer: it commits nothing by itself and never guesses a position.
pub const CONSUMER: [(&str, &str); 11] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("session.timeout.ms", "6000"),
    ("heartbeat.interval.ms", "500"),
    ("max.poll.interval.ms", "300000"),
    ("partition.assignment.strategy", "range"),
    // The default of a second leaves a fast consumer idle once its queue is full.
    ("fetch.queue.backoff.ms", "5"),
    ("queued.max.messages.kbytes", "16384"),
    ("fetch.message.max.bytes", "4194304"),
];

impl Default for Kafka {
    fn default() -> Self {
        Self { brokers: "127.0.0.1:9092".into(), group: None, instance: None, options: BTreeMap::new() }
    }
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { max_records: 50_000, max_wait: Duration::from_millis(200) }
    }
}

impl Kafka {
    /// The settings that every client shares.
    pub(crate) fn client(&self, name: &str) -> Result<ClientConfig> {
        if let Some(key) = self.options.keys().find(|key| PROTECTED.contains(&key.as_str())) {
            return Err(Error::configuration(format!("kafka.options.{key} cannot be set: the guarantee rests on it")));
        }
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", name)
            .set("topic.metadata.refresh.interval.ms", "30000");
        client.set("reconnect.backoff.max.ms", "2000").set("socket.keepalive.enable", "true");
        Ok(client)
    }

    /// A consumer that commits nothing by itself and never guesses a position.
    pub(crate) fn consumer(&self, name: &str) -> Result<ClientConfig> {
        let mut client = self.client(name)?;
        for (key, value) in CONSUMER {
            client.set(key, value);
        }
        Ok(self.with_options(client))
    }

    /// A producer whose records are stored once, in order, on every replica in sync, or reported.
    pub(crate) fn producer(&self, name: &str) -> Result<ClientConfig> {
        let mut client = self.client(name)?;
        for (key, value) in [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("linger.ms", "5"),
            ("compression.type", "lz4"),
            // Java's partitioner, so that every client of Kafka puts a device into the same partition.
            ("partitioner", "murmur2_random"),
            ("message.timeout.ms", "10000"),
            // A dead letter is its original and the reason: what a topic allows, its broker says.
            ("message.max.bytes", "2097152"),
            ("queue.buffering.max.kbytes", "131072"),
        ] {
            client.set(key, value);
        }
        Ok(self.with_options(client))
    }

    /// The consumer group of a stage such as `reports.installs`.
    pub(crate) fn group_of(&self, stage: &str) -> String {
        match (&self.group, stage.split_once('.')) {
            (Some(group), Some((_, stage))) => format!("{group}.{stage}"),
            _ => stage.to_owned(),
        }
    }

    fn with_options(&self, mut client: ClientConfig) -> ClientConfig {
        for (key, value) in &self.options {
            client.set(key, value);
        }
        client
    }
}

/// What librdkafka itself writes. Of connections that come and go the stage tells: it knows whether they matter.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Emerg, Error, Warning};
    let is_connection = matches!(facility, "FAIL" | "ERROR");
    match level {
        Emerg | Alert | Critical => error!(facility, message, "kafka client"),
        Error | Warning if !is_connection => warn!(facility, message, "kafka client"),
        _ => debug!(facility, message, "kafka client"),
    }
}

/// Takes `{"security": {"protocol": "SSL"}}` as `security.protocol`, which is how the environment spells it.
fn flat<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<BTreeMap<String, String>, D::Error> {
    fn flatten(prefix: &str, value: serde_json::Value, options: &mut BTreeMap<String, String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    flatten(&format!("{prefix}.{name}"), value, options);
                }
            }
            serde_json::Value::String(text) => drop(options.insert(prefix[1..].to_owned(), text)),
            other => drop(options.insert(prefix[1..].to_owned(), other.to_string())),
        }
    }
    let mut options = BTreeMap::new();
    for (name, value) in BTreeMap::<String, serde_json::Value>::deserialize(deserializer)? {
        flatten(&format!(".{name}"), value, &mut options);
    }
    Ok(options)
}

/// librdkafka repeats transport errors for every broker and second: what matters reaches the stage as an error of its own.
pub(crate) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "kafka client");
    }
}

impl rdkafka::consumer::ConsumerContext for Quiet {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_may_be_spelled_with_dots_or_nested() {
        for text in
            [r#"{"security.protocol":"SSL","linger.ms":7}"#, r#"{"security":{"protocol":"SSL"},"linger":{"ms":"7"}}"#]
        {
            let kafka: Kafka = serde_json::from_str(&format!(r#"{{"options":{text}}}"#)).unwrap();
            let expected = [("linger.ms", "7"), ("security.protocol", "SSL")];
            assert!(kafka.options.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(expected), "{text}");
        }
    }

    #[test]
    fn what_the_guarantee_rests_on_cannot_be_set() {
        for name in ["acks", "request.required.acks"] {
            let options = BTreeMap::from([(name.to_owned(), "1".to_owned())]);
            let error = Kafka { options, ..Kafka::default() }.producer("test").unwrap_err().to_string();
            assert!(error.contains(&format!("kafka.options.{name}")), "{error}");
        }
    }
}
