//! The floors: librdkafka with the settings of a stage, alone, with the parse of `reports`, and with what follows.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use event::{Activity, Install, topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Message as _};
use serde::{Deserialize, Serialize};

use crate::floor::Floor;

/// What the bench tells a consumer that it starts.
#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    brokers: String,
    #[arg(long)]
    topic: String,
    #[arg(long)]
    records: u64,
    #[arg(long)]
    redis: u16,
    #[arg(long)]
    read: Read,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Read {
    Nothing,
    Fields,
    /// Counts in memory, too.
    Counts,
    /// Writes what was counted to Redis, too.
    Stores,
}

impl Read {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Fields => "fields",
            Self::Counts => "counts",
            Self::Stores => "stores",
        }
    }
}

/// What a consumer saw.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Saw {
    pub(crate) records: u64,
    /// The sum of the event times in milliseconds: proof that each record was parsed. Malformed ones have none.
    pub(crate) times: Option<i128>,
}

const PATIENCE: Duration = Duration::from_secs(10);

/// A client with the settings of a stage: a floor with others would be another floor.
pub(crate) fn consumer(brokers: &str) -> anyhow::Result<BaseConsumer> {
    settings(brokers).create().context("making a consumer")
}

/// The same, which says where a partition ends.
pub(crate) fn until_the_end(brokers: &str) -> anyhow::Result<BaseConsumer> {
    settings(brokers).set("enable.partition.eof", "true").create().context("making a consumer")
}

fn settings(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "bench");
    for (key, value) in stream::CONSUMER {
        config.set(key, value);
    }
    config
}

/// The end of each partition of a topic.
pub(crate) fn ends(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<Vec<(i32, i64)>> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let found = metadata.topics().first().with_context(|| format!("Kafka knows no topic {topic}"))?;
    let end = |id| Ok((id, consumer.fetch_watermarks(topic, id, PATIENCE)?.1));
    found.partitions().iter().map(|partition| end(partition.id())).collect()
}

/// Reads the topic from its beginning, says what it saw, and waits to be measured.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let consumer = consumer(&options.brokers)?;
    from_the_beginning(&consumer, &options.topic)?;
    let saw = match options.read {
        Read::Nothing => read_nothing(&consumer, options.records)?,
        Read::Fields if options.topic == topic::ACTIVITY => read_activities(&consumer, options.records)?,
        Read::Fields => read_fields(&consumer, options.records, |_| Ok(()))?,
        Read::Counts => read_and_count(&consumer, options.records, None)?,
        Read::Stores => read_and_count(&consumer, options.records, Some(options.redis))?,
    };
    println!("{}", serde_json::to_string(&saw)?);
    std::io::stdout().flush()?;
    std::io::read_to_string(std::io::stdin())?;
    Ok(())
}

/// Lets a consumer have every partition, from its first record on.
pub(crate) fn from_the_beginning(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<()> {
    let mut partitions = TopicPartitionList::new();
    for (id, _) in ends(consumer, topic)? {
        partitions.add_partition_offset(topic, id, Offset::Beginning)?;
    }
    Ok(consumer.assign(&partitions)?)
}

fn read_nothing(consumer: &BaseConsumer, records: u64) -> anyhow::Result<Saw> {
    each(consumer, records, |_| Ok(()))?;
    Ok(Saw { records, times: None })
}

fn read_activities(consumer: &BaseConsumer, records: u64) -> anyhow::Result<Saw> {
    let mut times = 0;
    each(consumer, records, |payload| {
        times += i128::from(serde_json::from_slice::<Activity<'_>>(payload)?.event_time.millis());
        Ok(())
    })?;
    Ok(Saw { records, times: Some(times) })
}

fn read_fields(
    consumer: &BaseConsumer,
    records: u64,
    mut then: impl FnMut(&Install<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Saw> {
    let mut times = 0;
    each(consumer, records, |payload| {
        let Ok(install) = serde_json::from_slice::<Install<'_>>(payload) else { return Ok(()) };
        times += i128::from(install.event_time.millis());
        then(&install)
    })?;
    Ok(Saw { records, times: Some(times) })
}

fn read_and_count(consumer: &BaseConsumer, records: u64, redis: Option<u16>) -> anyhow::Result<Saw> {
    let mut floor = Floor::open(redis)?;
    let saw = read_fields(consumer, records, |install| floor.count(install))?;
    floor.flush()?;
    Ok(saw)
}

fn each(
    consumer: &BaseConsumer,
    records: u64,
    mut read: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut seen = 0;
    while seen < records {
        match consumer.poll(PATIENCE) {
            Some(Ok(message)) => {
                read(message.payload().unwrap_or_default())?;
                seen += 1;
            }
            Some(Err(error)) => forgive(error)?,
            None => anyhow::bail!("nothing arrives after {seen} records"),
        }
    }
    Ok(())
}

/// Connections that come and go are librdkafka's own business.
pub(crate) fn forgive(error: KafkaError) -> anyhow::Result<()> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown) => Ok(()),
        _ => Err(error.into()),
    }
}
