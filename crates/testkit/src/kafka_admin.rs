//! What an administrator may do to topics and groups; every call waits until the brokers have done it.

use std::future::Future;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::eventually;
use crate::kafka::Kafka;

impl Kafka {
    /// Does what retention does: records of a partition before this offset are gone.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before)).unwrap();
        let deleted = wait(self.admin().delete_records(&list, &AdminOptions::new()));
        deleted.elements().iter().for_each(|element| element.error().unwrap());
    }

    pub fn delete_topic(&self, topic: &str) {
        expect(wait(self.admin().delete_topics(&[topic], &AdminOptions::new())));
        eventually(&format!("{topic} is gone"), || match self.leader(topic, 0) {
            None => Ok(()),
            Some(leader) => Err(format!("node {leader} leads it")),
        });
    }

    /// Makes a topic whose timestamps are the broker's.
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        let replication = i32::try_from(self.nodes.len()).unwrap();
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replication))
            .set("message.timestamp.type", "LogAppendTime");
        expect(wait(self.admin().create_topics([&new], &AdminOptions::new())));
        // The controller has made it; whoever asks the broker for it may still be told that it does not exist.
        eventually(&format!("{topic} has leaders"), || {
            let led = (0..partitions).filter(|&partition| self.leader(topic, partition).is_some()).count();
            if led == partitions as usize { Ok(()) } else { Err(format!("{led} partitions have one")) }
        });
    }

    pub fn grow_topic(&self, topic: &str, partitions: usize) {
        let new = NewPartitions::new(topic, partitions);
        expect(wait(self.admin().create_partitions([&new], &AdminOptions::new())));
    }

    /// Sets a topic's settings to these; those that are not named fall back to the broker's.
    pub fn set_topic(&self, topic: &str, settings: &[(&str, &str)]) {
        let entries = settings.iter().copied().collect();
        let request = AlterConfig { specifier: ResourceSpecifier::Topic(topic), entries };
        let altered = wait(self.admin().alter_configs([&request], &AdminOptions::new()));
        altered.into_iter().for_each(|result| drop(result.unwrap()));
    }

    /// Lets Kafka forget a consumer group that nobody is a member of, as it does after `offsets.retention.minutes`.
    pub fn forget_group(&self, group: &str) {
        expect(wait(self.admin().delete_groups(&[group], &AdminOptions::new())));
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", self.direct()).create().unwrap()
    }
}

fn wait<T>(answer: impl Future<Output = KafkaResult<T>>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer).unwrap()
}

fn expect(results: Vec<Result<String, (String, RDKafkaErrorCode)>>) {
    results.into_iter().for_each(|result| drop(result.unwrap()));
}
