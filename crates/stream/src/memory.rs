//! librdkafka's mock broker: a real TCP broker in this process, for looking around where no Kafka can be had.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::{Error, Result};

/// Small and forgetful: it holds 5 MiB a partition and drops the oldest, fakes transactions, and proves no guarantee.
pub struct MemoryBroker(MockCluster<'static, DefaultProducerContext>);

impl MemoryBroker {
    /// Starts with these topics.
    pub fn start(topics: &[String], partitions: i32) -> Result<Self> {
        let cluster = MockCluster::new(1).map_err(|error| Error::fatal(format!("the memory broker: {error}")))?;
        for topic in topics {
            cluster.create_topic(topic, partitions, 1)?;
        }
        Ok(Self(cluster))
    }

    pub fn brokers(&self) -> String {
        self.0.bootstrap_servers()
    }
}
