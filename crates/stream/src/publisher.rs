//! The sink that writes other topics: outputs and position in one Kafka transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::util::Timeout;
use rdkafka::{Offset as KafkaOffset, client::ClientContext};
use tracing::debug;

use crate::kafka::Quiet;
use crate::{Balance, Bookmark, Error, Kafka, Offset, Outgoing, Part, Partition, Result, Sink, Standing, Work};

/// Publishes each work in one transaction: a `read_committed` reader sees it once, whole, or not at all. The balance of
/// each partition travels beside its committed offset, so that it moves with it.
pub struct Publisher {
    config: ClientConfig,
    group: ClientConfig,
    outputs: Vec<String>,
    /// Taken out at every commit and put back only after success: every failure drops the producer, and its successor's
    /// `init_transactions` moves the epoch, so that nothing of the failed transaction can reach into the next one.
    producer: Option<BaseProducer<Sending>>,
    /// As they stand beside the committed offsets.
    balances: BTreeMap<Partition, Balance>,
}

/// What a killed replica leaves open is in everybody's way for so long, and until the brokers look for it.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// `send_offsets_to_transaction` can wait for a coordinator whose broker has left the cluster, without end, until some
/// connection comes or goes (librdkafka 5456 and 5511). While it waits all connections are idle: one of them goes by this.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

impl Publisher {
    /// `name` is the stage, such as `attribution.decide`; `kafka.instance` tells its replicas apart.
    pub fn open(kafka: &Kafka, name: &str, outputs: &[&str]) -> Result<Self> {
        let Some(instance) = &kafka.instance else {
            return Err(Error::configuration("kafka.instance must be set: it stands in the transactional id"));
        };
        let mut config = kafka.producer(name)?;
        config.set("transactional.id", format!("{name}.{instance}"));
        for key in ["transaction.timeout.ms", "message.timeout.ms"] {
            config.set(key, TRANSACTION_TIMEOUT.as_millis().to_string());
        }
        config.set("connections.max.idle.ms", IDLE_CONNECTION.as_millis().to_string());
        // What librdkafka refuses is wrong now and at every try.
        BaseProducer::from_config_and_context(&config, Sending)
            .map_err(|error| Error::configuration(format!("kafka.options: {error}")))?;
        let mut group = kafka.consumer(name)?;
        group.set("group.id", kafka.group_of(name));
        let outputs = outputs.iter().map(|&topic| topic.to_owned()).collect();
        Ok(Self { config, group, outputs, producer: None, balances: BTreeMap::new() })
    }

    /// Where a partition starts that has no committed offset. "The beginning" is right only if this stage never published
    /// anything: a group that was empty for too long forgets its offsets, and would publish everything again.
    fn start_anew(&self, standing: &Standing) -> Result<Offset> {
        if self.group_is_known(&standing.partition.topic)? || self.outputs_are_empty()? {
            return Ok(standing.first);
        }
        Err(Error::configuration(format!(
            "position_lost: no committed offset for {} in group {}, but {} hold records; if this service has never run \
             here, create its group once with `kafka-consumer-groups --reset-offsets --to-earliest`, else restore its offsets",
            standing.partition,
            self.group.get("group.id").unwrap_or_default(),
            self.outputs.join(" and "),
        )))
    }

    /// Whether any partition of the topic has a committed offset: then this one simply never published.
    fn group_is_known(&self, topic: &str) -> Result<bool> {
        let consumer: BaseConsumer<Quiet> = BaseConsumer::from_config_and_context(&self.group, Quiet)?;
        let metadata = consumer.fetch_metadata(Some(topic), ANSWER_WITHIN)?;
        let mut asked = TopicPartitionList::new();
        for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
            asked.add_partition(topic, partition.id());
        }
        let committed = consumer.committed_offsets(asked, ANSWER_WITHIN)?;
        Ok(committed.elements().iter().any(|element| element.offset().to_raw().is_some_and(|offset| offset >= 0)))
    }

    /// The balance of the partition once this part is stored.
    fn balance_after(&self, part: &Part<Vec<Outgoing>>) -> Balance {
        let so_far = self.balances.get(&part.partition).copied().unwrap_or_else(|| Balance::new(part.from));
        let out = u64::try_from(part.output.len()).unwrap_or(u64::MAX);
        so_far.plus(&Balance { out, ..part.balance })
    }

    fn outputs_are_empty(&self) -> Result<bool> {
        let Some(producer) = &self.producer else { return Err(Error::transient("no producer")) };
        for topic in &self.outputs {
            let metadata = producer.client().fetch_metadata(Some(topic), ANSWER_WITHIN)?;
            for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
                let (_, end) = producer.client().fetch_watermarks(topic, partition.id(), ANSWER_WITHIN)?;
                if end > 0 {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl Sink for Publisher {
    type Output = Vec<Outgoing>;

    const WITNESSED: bool = false;

    /// A new producer fences the old one, and its `init_transactions` completes or aborts what that left open.
    fn settle(&mut self) -> Result<()> {
        self.producer = None;
        let producer = BaseProducer::from_config_and_context(&self.config, Sending)?;
        producer.init_transactions(Timeout::After(ANSWER_WITHIN))?;
        self.producer = Some(producer);
        Ok(())
    }

    fn resume(&mut self, standings: &[Standing]) -> Result<Vec<Bookmark>> {
        let positions: Result<Vec<Offset>> =
            standings.iter().map(|standing| standing.committed.map_or_else(|| self.start_anew(standing), Ok)).collect();
        let resume = |(standing, position): (&Standing, Offset)| {
            let balance = Balance::from_metadata(&standing.metadata).unwrap_or_else(|| Balance::new(position));
            self.balances.insert(standing.partition.clone(), balance);
            Bookmark { position, last: balance.last }
        };
        Ok(standings.iter().zip(positions?).map(resume).collect())
    }

    fn commit(&mut self, work: Work<'_, Vec<Outgoing>>) -> Result<()> {
        let Some(producer) = self.producer.take() else { return Err(Error::transient("no producer")) };
        let Some(owner) = &work.owner.0 else { return Err(Error::Fenced("not a member of the group".into())) };
        let mut positions = TopicPartitionList::new();
        let mut balances = Vec::new();
        producer.begin_transaction()?;
        for part in work.parts {
            let balance = self.balance_after(&part);
            let mut position = positions.add_partition(&part.partition.topic, part.partition.id);
            position.set_offset(KafkaOffset::Offset(part.next.0))?;
            position.set_metadata(balance.to_metadata().map_err(|error| Error::transient(error.to_string()))?);
            for record in &part.output {
                produce(&producer, record)?;
            }
            balances.push((part.partition, balance));
        }
        producer.send_offsets_to_transaction(&positions, owner, Timeout::After(ANSWER_WITHIN))?;
        producer.commit_transaction(Timeout::After(ANSWER_WITHIN))?;
        self.producer = Some(producer);
        self.balances.extend(balances); // after a failure `resume` asks again what stands there
        Ok(())
    }
}

/// Queues a record, making room first where the queue is full. A record that fails later fails the whole transaction.
fn produce(producer: &BaseProducer<Sending>, record: &Outgoing) -> Result<()> {
    loop {
        let mut base = BaseRecord::to(&record.topic).payload(&record.payload).headers(record.owned_headers());
        if !record.key.is_empty() {
            base = base.key(&record.key);
        }
        if let Some(partition) = record.partition {
            base = base.partition(partition);
        }
        match producer.send(base) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(10))
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

struct Sending;

impl ClientContext for Sending {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::kafka::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "kafka transaction");
    }
}

impl ProducerContext<NoCustomPartitioner> for Sending {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::producer::DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_no_transaction_can_have_are_refused_at_once() {
        let options = BTreeMap::from([("socket.timeout.ms".to_owned(), "10000".to_owned())]);
        let kafka = Kafka { instance: Some("a".into()), options, ..Kafka::default() };
        let Err(Error::Fatal { exit_code: 78, cause }) = Publisher::open(&kafka, "tests.publish", &["out"]) else {
            panic!("it was accepted")
        };
        assert!(
            cause.to_string().contains("kafka.options") && cause.to_string().contains("socket.timeout.ms"),
            "{cause}"
        );
    }
}
