//! The topics as they are, read by a consumer that shares nothing with the services.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers as _;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(30);

/// A record that a `read_committed` reader sees.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) place: (i32, i64),
    /// None: it is no JSON.
    pub(crate) value: Option<Value>,
    pub(crate) headers: BTreeMap<String, String>,
}

/// Everything that a topic holds now; an error where Kafka does not say.
pub(crate) fn read(brokers: &str, topic: &str) -> Result<Vec<Record>, String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "verdict")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("log_level", "0")
        .create()
        .map_err(|error| error.to_string())?;
    let metadata = consumer.fetch_metadata(Some(topic), WITHIN).map_err(|error| error.to_string())?;
    let mut assignment = TopicPartitionList::new();
    let mut open = 0;
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning).map_err(|error| error.to_string())?;
        open += 1;
    }
    if open == 0 {
        return Err(format!("{topic} has no partitions"));
    }
    consumer.assign(&assignment).map_err(|error| error.to_string())?;
    let started = Instant::now();
    let mut records = Vec::new();
    while open > 0 {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => records.push(record(&message)),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(_)) | None if started.elapsed() < WITHIN => {}
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err(format!("{topic} was not read within {WITHIN:?}")),
        }
    }
    Ok(records)
}

fn record(message: &rdkafka::message::BorrowedMessage<'_>) -> Record {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().map(|headers| {
        let pair = |header: rdkafka::message::Header<'_, &[u8]>| {
            (header.key.to_owned(), header.value.map(text).unwrap_or_default())
        };
        headers.iter().map(pair).collect()
    });
    Record {
        place: (message.partition(), message.offset()),
        value: message.payload().and_then(|payload| serde_json::from_slice(payload).ok()),
        headers: headers.unwrap_or_default(),
    }
}
