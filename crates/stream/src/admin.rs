//! Topics as they are, and as a specification says they shall be. Nothing here deletes.

use std::collections::{BTreeMap, HashMap};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewPartitions, NewTopic,
    OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use serde::{Deserialize, Serialize};

use crate::kafka::Quiet;
use crate::wait::wait;
use crate::{Error, Kafka, Result};

/// Looks at topics, makes them and sets them; every call blocks until the brokers answered, for 15 s at most.
pub struct Admin {
    kafka: Kafka,
    client: AdminClient<Quiet>,
    options: AdminOptions,
}

/// What stands in `deploy/topics.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicPlan {
    pub defaults: TopicDefaults,
    #[serde(rename = "topic")]
    pub topics: Vec<PlannedTopic>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicDefaults {
    pub partitions: i32,
    pub replication: i32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedTopic {
    pub name: String,
    /// The default if absent.
    pub partitions: Option<i32>,
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// A topic as it is.
#[derive(Clone, Debug, Serialize)]
pub struct Topic {
    pub name: String,
    pub partitions: i32,
    pub replication: i32,
    /// What was set for this topic itself.
    pub own_config: BTreeMap<String, String>,
    /// Every setting that is in force, defaults included.
    #[serde(skip)]
    pub config: BTreeMap<String, String>,
}

/// Whether topics with fewer partitions than planned may grow. A key then lands in another partition than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    Allowed,
    Refused,
}

/// What was done to one topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Applied {
    pub topic: String,
    pub change: Change,
    /// Settings that were changed, `key: before -> now`.
    pub settings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Created {
        partitions: i32,
    },
    Grown {
        before: i32,
        now: i32,
    },
    /// It has another number of partitions than planned, and was left so.
    Differs {
        planned: i32,
        found: i32,
    },
    None,
}

const PATIENCE: Duration = Duration::from_secs(15);

impl Admin {
    /// Fails at once, with a message for a person, where no broker answers within five seconds.
    pub fn open(kafka: &Kafka) -> Result<Self> {
        let client: AdminClient<Quiet> = kafka.client("admin")?.create_with_context(Quiet)?;
        client.inner().fetch_metadata(None, Duration::from_secs(5)).map_err(|error| kafka.unreachable(&error))?;
        Ok(Self {
            kafka: kafka.clone(),
            client,
            options: AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE)),
        })
    }

    /// The brokers, as `host:port`.
    pub fn brokers(&self) -> Result<Vec<String>> {
        let metadata = self.client.inner().fetch_metadata(None, PATIENCE)?;
        Ok(metadata.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port())).collect())
    }

    /// Every topic that is not the brokers' own, by name.
    pub fn topics(&self) -> Result<Vec<Topic>> {
        let metadata = self.client.inner().fetch_metadata(None, PATIENCE)?;
        let mut topics: Vec<Topic> = metadata
            .topics()
            .iter()
            .filter(|topic| !topic.name().starts_with("__"))
            .map(|topic| Topic {
                name: topic.name().to_owned(),
                partitions: i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX),
                replication: topic
                    .partitions()
                    .first()
                    .map_or(0, |first| i32::try_from(first.replicas().len()).unwrap_or(i32::MAX)),
                own_config: BTreeMap::new(),
                config: BTreeMap::new(),
            })
            .collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        self.add_settings(&mut topics)?;
        Ok(topics)
    }

    /// Every setting of a topic that is in force.
    pub fn settings(&self, topic: &str) -> Result<BTreeMap<String, String>> {
        self.describe(&ResourceSpecifier::Topic(topic))
    }

    /// Every setting of one of the brokers that is in force.
    pub fn broker_settings(&self) -> Result<BTreeMap<String, String>> {
        let metadata = self.client.inner().fetch_metadata(None, PATIENCE)?;
        let Some(broker) = metadata.brokers().first() else { return Err(Error::transient("no broker is known")) };
        self.describe(&ResourceSpecifier::Broker(broker.id()))
    }

    /// No answer at all means that the controller is not where the brokers say.
    fn ask<T>(&self, request: impl Future<Output = KafkaResult<T>>) -> Result<T> {
        wait(request).map_err(|error| match error {
            KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut) => self.kafka.unreachable(&error),
            other => other.into(),
        })
    }

    fn describe(&self, resource: &ResourceSpecifier<'_>) -> Result<BTreeMap<String, String>> {
        let mut config = BTreeMap::new();
        for described in self.ask(self.client.describe_configs([resource], &self.options))? {
            let described = described
                .map_err(|code| Error::transient(format!("the settings of {resource:?} cannot be read: {code}")))?;
            config.extend(described.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))));
        }
        Ok(config)
    }

    /// Makes what is missing and sets what differs. Settings that the plan does not name stay as they are.
    pub fn apply(&self, plan: &TopicPlan, growth: Growth) -> Result<Vec<Applied>> {
        let found = self.topics()?;
        plan.topics
            .iter()
            .map(|planned| {
                let partitions = planned.partitions.unwrap_or(plan.defaults.partitions);
                match found.iter().find(|topic| topic.name == planned.name) {
                    None => self.create(planned, partitions, plan.defaults.replication),
                    Some(topic) => self.change(planned, topic, (partitions, growth)),
                }
            })
            .collect()
    }

    fn create(&self, planned: &PlannedTopic, partitions: i32, replication: i32) -> Result<Applied> {
        let mut topic = NewTopic::new(&planned.name, partitions, TopicReplication::Fixed(replication));
        for (key, value) in &planned.config {
            topic = topic.set(key, value);
        }
        let results = self.ask(self.client.create_topics([&topic], &self.options))?;
        for result in results {
            match result {
                // Somebody else was faster; the next run compares.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(Error::fatal(format!("topic {name} cannot be created: {code}"))),
            }
        }
        self.wait_for(&planned.name)?;
        Ok(Applied { topic: planned.name.clone(), change: Change::Created { partitions }, settings: Vec::new() })
    }

    /// The brokers learn of a new topic a moment after its creation was acknowledged; whoever starts in between would not
    /// find it.
    fn wait_for(&self, topic: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metadata = self.client.inner().fetch_metadata(Some(topic), PATIENCE)?;
            let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions()).peekable();
            if partitions.peek().is_some() && partitions.all(|partition| partition.leader() >= 0) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::transient(format!("topic {topic} was made, but has no leader yet")));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn change(&self, planned: &PlannedTopic, found: &Topic, (partitions, growth): (i32, Growth)) -> Result<Applied> {
        let settings = self.set(planned, found)?;
        let change = match found.partitions {
            same if same == partitions => Change::None,
            fewer if fewer < partitions && growth == Growth::Allowed => {
                self.grow(&planned.name, partitions)?;
                Change::Grown { before: fewer, now: partitions }
            }
            other => Change::Differs { planned: partitions, found: other },
        };
        Ok(Applied { topic: planned.name.clone(), change, settings })
    }

    fn grow(&self, topic: &str, partitions: i32) -> Result<()> {
        let count =
            usize::try_from(partitions).map_err(|_| Error::configuration("a topic has at least one partition"))?;
        let results = self.ask(self.client.create_partitions([&NewPartitions::new(topic, count)], &self.options))?;
        for result in results {
            result.map_err(|(name, code)| {
                Error::fatal(format!("topic {name} cannot grow to {partitions} partitions: {code}"))
            })?;
        }
        Ok(())
    }

    fn set(&self, planned: &PlannedTopic, found: &Topic) -> Result<Vec<String>> {
        let differs = |(key, value): &(&String, &String)| found.config.get(*key) != Some(value);
        let changed: Vec<String> = planned
            .config
            .iter()
            .filter(differs)
            .map(|(key, value)| format!("{key}: {} -> {value}", found.config.get(key).map_or("none", String::as_str)))
            .collect();
        if changed.is_empty() {
            return Ok(changed);
        }
        // The request resets whatever it does not name, so it names what was set before too.
        let entries: HashMap<&str, &str> =
            found.own_config.iter().chain(&planned.config).map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let request = AlterConfig { specifier: ResourceSpecifier::Topic(&planned.name), entries };
        for result in self.ask(self.client.alter_configs([&request], &self.options))? {
            result.map_err(|(_, code)| Error::fatal(format!("topic {} cannot be set: {code}", planned.name)))?;
        }
        Ok(changed)
    }

    fn add_settings(&self, topics: &mut [Topic]) -> Result<()> {
        if topics.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
        let asked: Vec<ResourceSpecifier<'_>> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        for described in self.ask(self.client.describe_configs(&asked, &self.options))? {
            let described = described
                .map_err(|code| Error::transient(format!("the settings of a topic cannot be read: {code}")))?;
            let OwnedResourceSpecifier::Topic(name) = &described.specifier else { continue };
            if let Some(topic) = topics.iter_mut().find(|topic| topic.name == *name) {
                keep_settings(topic, described);
            }
        }
        Ok(())
    }
}

fn keep_settings(topic: &mut Topic, described: ConfigResource) {
    for entry in described.entries {
        let Some(value) = entry.value else { continue };
        if entry.source == ConfigSource::DynamicTopic {
            topic.own_config.insert(entry.name.clone(), value.clone());
        }
        topic.config.insert(entry.name, value);
    }
}
