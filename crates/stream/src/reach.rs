//! Whether Kafka can be reached, and what to say where it cannot.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::metadata::Metadata;
use tracing::debug;

use crate::{Error, Kafka, Result};

const PATIENCE: Duration = Duration::from_secs(5);
/// How long the reason of a failure is looked for.
const LOOK: Duration = Duration::from_secs(2);

/// Refuses to start on a topic that is not there.
pub(crate) fn require_topic(kafka: &Kafka, topic: &str, metadata: &Metadata) -> Result<()> {
    if metadata.topics().iter().any(|found| found.error().is_none() && !found.partitions().is_empty()) {
        return Ok(());
    }
    Err(Error::configuration(format!(
        "topic {topic} does not exist at {}; create it with `attributary topics apply`",
        kafka.brokers
    )))
}

/// Refuses to start where the brokers that lead a topic cannot be reached at the addresses which they give for
/// themselves. One that answers is enough: the others may be about to be replaced.
pub(crate) fn require_leader<C: ClientContext>(
    kafka: &Kafka,
    topic: &str,
    metadata: &Metadata,
    client: &Client<C>,
) -> Result<()> {
    let partitions =
        metadata.topics().iter().filter(|found| found.name() == topic).flat_map(|found| found.partitions());
    let mut asked = Vec::new();
    let mut failure = None;
    for partition in partitions.filter(|partition| partition.leader() >= 0) {
        if asked.contains(&partition.leader()) {
            continue;
        }
        asked.push(partition.leader());
        match client.fetch_watermarks(topic, partition.id(), PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) => Err(kafka.unreachable(&error)),
        None => Ok(()), // no partition has a leader: the stage waits for one, as it does later
    }
}

impl Kafka {
    /// What to say when no broker answers, or none where the brokers say that they are.
    pub(crate) fn unreachable(&self, error: &KafkaError) -> Error {
        let brokers = &self.brokers;
        Error::unreachable(match self.look() {
            Some(Reason { address, reason }) if !brokers.contains(&address) => format!(
                "Kafka answers at {brokers} (kafka.brokers), and says that a broker is at {address}, where it cannot be \
                 reached: {reason}; set `advertised.listeners` of the brokers to addresses that this machine can reach"
            ),
            seen => format!(
                "cannot reach Kafka at {brokers} (kafka.brokers): {}; start one with `docker compose up kafka`, or set \
                 ATTRIBUTARY__KAFKA__BROKERS",
                seen.map_or_else(|| error.to_string(), |seen| seen.reason)
            ),
        })
    }

    /// Tries once more, with a client of its own that keeps what librdkafka has to say.
    fn look(&self) -> Option<Reason> {
        let config = self.client("reach").ok()?;
        let client: BaseConsumer<Reasons> = config.create_with_context(Reasons::default()).ok()?;
        let deadline = Instant::now() + LOOK;
        loop {
            drop(client.poll(Duration::from_millis(50)));
            let reasons = client.context().0.lock().unwrap_or_else(PoisonError::into_inner);
            let elsewhere = reasons.iter().find(|reason| !self.brokers.contains(&reason.address));
            if elsewhere.is_some() || Instant::now() > deadline {
                return elsewhere.or_else(|| reasons.first()).cloned();
            }
        }
    }
}

/// Why a connection failed.
#[derive(Clone)]
struct Reason {
    address: String,
    reason: String,
}

#[derive(Default)]
struct Reasons(Mutex<Vec<Reason>>);

impl ClientContext for Reasons {
    /// Reads `[thrd:…]: kafka.example:9092/1: Connect to ipv4#192.0.2.1:9092 failed: …`.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility != "FAIL" {
            return;
        }
        let text = message.split_once("]: ").map_or(message, |(_, text)| text);
        let Some((broker, reason)) = text.split_once(": ") else { return };
        let address = broker.split('/').next().unwrap_or(broker).to_owned();
        let reason = Reason { address, reason: reason.to_owned() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(reason);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "kafka client");
    }
}

impl ConsumerContext for Reasons {}
