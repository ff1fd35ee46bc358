//! Where the partitions of a topic begin and end.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset as Place, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

use crate::kafka::Quiet;
use crate::recognise::replaced;
use crate::{Error, Kafka, Mark, Result};

/// Asks the brokers for partitions and their offsets. The ends are those of the log itself, as a `read_uncommitted`
/// client sees them: records of open transactions count. Calls block for at most ten seconds.
pub struct Watermarks {
    kafka: Kafka,
    consumer: BaseConsumer<Quiet>,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Watermarks {
    /// A missing server is a fatal error that says what to do.
    pub fn open(kafka: &Kafka) -> Result<Self> {
        Self::open_at("read_uncommitted", kafka)
    }

    /// Sees the ends as a `read_committed` client does: before the first record of an open transaction.
    pub fn open_stable(kafka: &Kafka) -> Result<Self> {
        Self::open_at("read_committed", kafka)
    }

    fn open_at(isolation: &str, kafka: &Kafka) -> Result<Self> {
        let mut settings = kafka.consumer("watermarks")?;
        settings.set("isolation.level", isolation);
        let consumer: BaseConsumer<Quiet> = settings
            .create_with_context(Quiet)
            .map_err(|error| Error::configuration(format!("kafka.options: {error}")))?;
        consumer.fetch_metadata(None, PATIENCE).map_err(|error| kafka.unreachable(&error))?;
        Ok(Self { kafka: kafka.clone(), consumer })
    }

    /// The partitions of a topic, in order. A topic that does not exist is a fatal error that says how to make it.
    pub fn partitions(&self, topic: &str) -> Result<Vec<i32>> {
        partitions(&self.consumer, topic)
    }

    /// Whether a topic exists.
    pub fn exists(&self, topic: &str) -> Result<bool> {
        match self.partitions(topic) {
            Ok(partitions) => Ok(!partitions.is_empty()),
            Err(Error::Fatal { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Each partition of a topic with its first offset and its end, the offset that the next record will get.
    pub fn ends(&self, topic: &str) -> Result<Vec<(i32, i64, i64)>> {
        self.forget_events();
        let partitions = self.partitions(topic)?;
        let first = offsets(&self.consumer, topic, &partitions, Place::Beginning)?;
        let end = offsets(&self.consumer, topic, &partitions, Place::End)?;
        Ok(first.into_iter().zip(end).map(|((partition, first), (_, end))| (partition, first, end)).collect())
    }

    /// The partitions in which a record stands no more that was read there: the topic was made anew, or lost its end.
    pub fn replaced(&self, topic: &str, marks: &[(i32, Mark)]) -> Result<BTreeSet<i32>> {
        self.forget_events();
        replaced((&self.kafka, &self.consumer), topic, marks)
    }

    /// What the client reports about its connections would otherwise pile up for as long as it lives.
    fn forget_events(&self) {
        while self.consumer.poll(Duration::ZERO).is_some() {}
    }
}

pub(crate) fn partitions<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str) -> Result<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    if let Some(error) = found.and_then(|found| found.error()) {
        return match RDKafkaErrorCode::from(error) {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => Err(missing(topic)),
            other => Err(KafkaError::MetadataFetch(other).into()),
        };
    }
    let mut partitions: Vec<i32> =
        found.map(|found| found.partitions().iter().map(|partition| partition.id()).collect()).unwrap_or_default();
    if partitions.is_empty() {
        return Err(missing(topic));
    }
    partitions.sort_unstable();
    Ok(partitions)
}

/// The offset that stands at a place in each partition, in the order asked: its beginning, its end, or the first record
/// at or after a time in milliseconds (the end where there is none).
pub(crate) fn offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    place: Place,
) -> Result<Vec<(i32, i64)>> {
    let asked: Vec<(i32, Place)> = partitions.iter().map(|&partition| (partition, place)).collect();
    each_offset(consumer, topic, &asked)
}

/// The same where each partition has a place of its own.
pub(crate) fn each_offset<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    asked: &[(i32, Place)],
) -> Result<Vec<(i32, i64)>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let answered = consumer.offsets_for_times(list(topic, asked.iter().copied())?, PATIENCE)?;
    let mut found = Vec::with_capacity(asked.len());
    let mut after_the_last = Vec::new();
    for element in answered.elements() {
        element.error()?;
        match element.offset() {
            Place::Offset(offset) => found.push((element.partition(), offset)),
            Place::End if !asked.contains(&(element.partition(), Place::End)) => {
                after_the_last.push(element.partition());
            }
            other => {
                return Err(Error::transient(format!("{topic}/{}: no offset but {other:?}", element.partition())));
            }
        }
    }
    if !after_the_last.is_empty() {
        found.extend(offsets(consumer, topic, &after_the_last, Place::End)?);
    }
    found.sort_unstable_by_key(|(partition, _)| asked.iter().position(|(id, _)| id == partition));
    Ok(found)
}

/// Places in partitions, as librdkafka is told of them.
pub(crate) fn list(topic: &str, places: impl IntoIterator<Item = (i32, Place)>) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, place) in places {
        list.add_partition_offset(topic, partition, place)?;
    }
    Ok(list)
}

fn missing(topic: &str) -> Error {
    Error::configuration(format!("topic {topic} does not exist: make it with `attributary topics apply`"))
}
