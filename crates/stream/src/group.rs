//! For an operator: the committed offsets of a stage's consumer group.

use std::time::Duration;

use rdkafka::Offset as KafkaOffset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};

use crate::kafka::Quiet;
use crate::{Balance, Error, Kafka, Offset, Partition, Result, watermarks};

/// A consumer group seen from outside: it is never joined.
pub struct Group {
    consumer: BaseConsumer<Quiet>,
    name: String,
}

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

impl Group {
    /// The group of a stage such as `attribution.decide`.
    pub fn open(kafka: &Kafka, stage: &str) -> Result<Self> {
        let name = kafka.group_of(stage);
        let mut config = kafka.consumer("group")?;
        config.set("group.id", &name);
        let consumer = BaseConsumer::from_config_and_context(&config, Quiet)?;
        consumer.fetch_metadata(None, ANSWER_WITHIN).map_err(|error| kafka.unreachable(&error))?;
        Ok(Self { consumer, name })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The committed offset of each partition of a topic, where there is one.
    pub fn committed(&self, topic: &str) -> Result<Vec<(i32, Option<Offset>)>> {
        let committed = self.ask(topic)?;
        let offset = |offset: KafkaOffset| offset.to_raw().filter(|&offset| offset >= 0).map(Offset);
        Ok(committed.elements().iter().map(|element| (element.partition(), offset(element.offset()))).collect())
    }

    /// The committed offset of each partition of a topic where there is one, with the balance that a [`Publisher`] left
    /// beside it: a new one where there is none.
    ///
    /// [`Publisher`]: crate::Publisher
    pub fn balances(&self, topic: &str) -> Result<Vec<(i32, Offset, Balance)>> {
        let committed = self.ask(topic)?;
        let balance = |element: &TopicPartitionListElem<'_>| {
            let position = Offset(element.offset().to_raw().filter(|&offset| offset >= 0)?);
            let balance = Balance::from_metadata(element.metadata()).unwrap_or_else(|| Balance::new(position));
            Some((element.partition(), position, balance))
        };
        Ok(committed.elements().iter().filter_map(balance).collect())
    }

    /// Moves a committed offset. A group with members refuses it: they would go on from where they are.
    pub fn commit(&self, partition: &Partition, to: Offset) -> Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.id, KafkaOffset::Offset(to.0))?;
        self.consumer.commit(&list, CommitMode::Sync).map_err(|error| match error {
            KafkaError::ConsumerCommit(
                RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::RebalanceInProgress,
            ) => Error::configuration(format!(
                "group {} has members: stop every replica of its service first",
                self.name
            )),
            other => other.into(),
        })
    }

    fn ask(&self, topic: &str) -> Result<TopicPartitionList> {
        let mut asked = TopicPartitionList::new();
        for id in watermarks::partitions(&self.consumer, topic)? {
            asked.add_partition(topic, id);
        }
        Ok(self.consumer.committed_offsets(asked, ANSWER_WITHIN)?)
    }
}
