//! `attributary dead redrive`: lets letters in again, for the service that refused them.

use anyhow::bail;
use serde_json::json;
use stream::admin::{Admin, Growth, PlannedTopic, TopicDefaults, TopicPlan};
use stream::{Kafka, dead_topic, redrive_topic};

use crate::output::{Output, say, table};

const KEPT: &str = "604800000";
const DEAD_KEPT: &str = "2592000000";

/// The services that read `<topic>.redrive.<service>`.
const READERS: [&str; 1] = ["reports"];

/// Moves the letters of a service that were not moved yet; only that service reads the topic they go to.
pub(crate) fn run(kafka: &Kafka, (topic, service): (&str, &str), output: Output) -> anyhow::Result<()> {
    if !READERS.contains(&service) {
        bail!(stream::Error::configuration(format!(
            "nothing reads redriven letters of {service}; {} does. Send its events again through ingest, with new event ids",
            READERS.join(", ")
        )));
    }
    let to = redrive_topic(topic, service);
    make_topics(kafka, topic, &to)?;
    // One name for all: a second redrive of the same letters fences the first instead of moving them twice.
    let kafka = Kafka { instance: Some("redrive".into()), ..kafka.clone() };
    let moved = stream::redrive(&kafka, topic, service)?;
    if moved == 0 {
        say("no letters of this service were left to move");
    }
    let Output::Table = output else { return output.json(&json!({ "topic": to, "moved": moved })) };
    output.rows(&table(["topic", "moved"], [[to, moved.to_string()]]))
}

/// The topic that the service reads, and the one for letters that it refuses again.
fn make_topics(kafka: &Kafka, topic: &str, to: &str) -> anyhow::Result<()> {
    let admin = Admin::open(kafka)?;
    let found = admin.topics()?;
    let Some(original) = found.iter().find(|found| found.name == topic) else {
        bail!(stream::Error::configuration(format!("topic {topic} does not exist")));
    };
    let planned = |name: &str, partitions, kept: &str| PlannedTopic {
        name: name.to_owned(),
        partitions,
        config: [("message.timestamp.type", "LogAppendTime"), ("cleanup.policy", "delete"), ("retention.ms", kept)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    };
    let topics = vec![planned(to, None, KEPT), planned(&dead_topic(to), Some(1), DEAD_KEPT)];
    let defaults = TopicDefaults { partitions: original.partitions, replication: original.replication };
    admin.apply(&TopicPlan { defaults, topics }, Growth::Refused)?;
    Ok(())
}
