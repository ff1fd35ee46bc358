//! What the group tells a consumer. A callback can reach neither the sink nor return an error, so it only takes note.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, error};

use crate::stable::Horizon;

/// A change of assignment that the source has not answered yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    Assigned(Vec<i32>),
    Revoked,
}

#[derive(Default)]
pub(crate) struct Rebalance {
    change: Mutex<Option<Change>>,
    closing: AtomicBool,
    horizons: Mutex<BTreeMap<i32, Horizon>>,
}

impl Rebalance {
    pub(crate) fn take(&self) -> Option<Change> {
        self.lock().take()
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.lock().is_some()
    }

    /// From now on an assignment is answered at once with "none": nobody will come to answer it.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// How far each of these partitions can be read and where it ends, as librdkafka last heard.
    pub(crate) fn horizons<T>(&self, of: &BTreeMap<i32, T>) -> BTreeMap<i32, Horizon> {
        let horizons = self.horizons.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        horizons.iter().filter(|(id, _)| of.contains_key(id)).map(|(&id, &horizon)| (id, horizon)).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Change>> {
        self.change.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl ClientContext for Rebalance {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::kafka::log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.into_values().flat_map(|topic| topic.partitions);
        let horizon = |(id, partition): (i32, rdkafka::statistics::Partition)| {
            (id, Horizon { stable: partition.ls_offset, end: partition.hi_offset })
        };
        let heard = partitions.map(horizon).collect();
        *self.horizons.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = heard;
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "kafka consumer");
    }
}

impl ConsumerContext for Rebalance {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let assigned = event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if assigned && !self.closing.load(Ordering::Acquire) {
            let ids = partitions.elements().iter().map(|element| element.partition()).collect();
            *self.lock() = Some(Change::Assigned(ids));
            return; // the source answers with `assign` once the sink has said where to resume
        }
        if !assigned {
            *self.lock() = Some(Change::Revoked);
        }
        if let Err(error) = consumer.unassign() {
            error!(%error, "cannot give up the assignment");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            debug!(%error, "the witness was not noted in Kafka");
        }
    }
}
