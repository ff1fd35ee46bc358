//! Dead letters: refused records, byte for byte, with where they came from and why they were refused.

use crate::{Batch, Delivery, Error, Kafka, Outgoing, Producer, Result};

pub const HEADER_TOPIC: &str = "dead-topic";
pub const HEADER_PARTITION: &str = "dead-partition";
pub const HEADER_OFFSET: &str = "dead-offset";
pub const HEADER_CODE: &str = "dead-code";
pub const HEADER_REASON: &str = "dead-reason";
pub const HEADER_SERVICE: &str = "dead-service";
pub const HEADER_VERSION: &str = "dead-version";

/// Every header that a letter has beyond those of its original.
pub(crate) const HEADERS: [&str; 7] =
    [HEADER_TOPIC, HEADER_PARTITION, HEADER_OFFSET, HEADER_CODE, HEADER_REASON, HEADER_SERVICE, HEADER_VERSION];

/// Longest reason that travels with a letter.
const REASON_LIMIT: usize = 500;

/// The topic of the dead letters of `topic`.
pub fn dead_topic(topic: &str) -> String {
    format!("{topic}.dead")
}

pub(crate) struct DeadLetters {
    topic: String,
    service: String,
    producer: Producer,
}

impl DeadLetters {
    pub(crate) fn open(kafka: &Kafka, name: &str, topic: &str) -> Result<Self> {
        Ok(Self {
            topic: dead_topic(topic),
            service: name.split('.').next().unwrap_or(name).to_owned(),
            producer: Producer::open(kafka, &format!("{name}.dead"))?,
        })
    }

    /// Sends what the batch refused, and returns when the broker has it.
    pub(crate) fn send(&self, batch: &Batch<'_>) -> Result<()> {
        let letters: Vec<Outgoing> = batch
            .refused()
            .map(|(message, reject)| {
                let partition = batch.partition();
                let reason: String = reject.reason.chars().take(REASON_LIMIT).collect();
                let mut letter = Outgoing::to(&self.topic, message.raw().unwrap_or_default())
                    .key(message.key().unwrap_or_default())
                    .header(HEADER_TOPIC, &*partition.topic)
                    .header(HEADER_PARTITION, partition.id.to_string())
                    .header(HEADER_OFFSET, message.offset().to_string())
                    .header(HEADER_CODE, reject.code.as_str())
                    .header(HEADER_REASON, reason)
                    .header(HEADER_SERVICE, self.service.as_str())
                    .header(HEADER_VERSION, env!("CARGO_PKG_VERSION"));
                letter.headers.extend(message.headers());
                letter
            })
            .collect();
        if letters.is_empty() {
            return Ok(());
        }
        for delivery in self.producer.send_blocking(letters) {
            match delivery {
                Delivery::Stored { .. } => {}
                Delivery::Refused(reason) | Delivery::TooLarge(reason) | Delivery::Unknown(reason) => {
                    return Err(Error::transient(format!("{} did not take a dead letter: {reason}", self.topic)));
                }
            }
        }
        Ok(())
    }
}
