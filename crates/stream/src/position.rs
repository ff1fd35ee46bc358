//! Where in the log something stands, and the units of work that move it.

use std::fmt;
use std::sync::Arc;

use rdkafka::consumer::ConsumerGroupMetadata;
use serde::{Deserialize, Serialize};

use crate::Balance;

/// One partition of a topic, written `installs/7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    pub topic: Arc<str>,
    pub id: i32,
}

/// A place in a partition. A *position* is the offset of the next record to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Offset(pub i64);

/// What Kafka knows of a partition when a sink is asked where to resume.
#[derive(Clone, Debug)]
pub struct Standing {
    pub partition: Partition,
    /// The group's committed offset: for the ledger only a witness, for the publisher the position.
    pub committed: Option<Offset>,
    /// What stands beside the committed offset; empty where nothing does.
    pub metadata: String,
    /// The first offset that Kafka still has.
    pub first: Offset,
    /// The offset that the next record will get.
    pub end: Offset,
}

/// The outcome of one batch: `from` is where the previous part of this partition ended, `next` where the next begins.
#[derive(Debug)]
pub struct Part<O> {
    pub partition: Partition,
    pub from: Offset,
    pub next: Offset,
    pub output: O,
    /// What became of the records; the sink fills in what it puts out.
    pub balance: Balance,
}

/// What one step asks a sink to store: each part whole, or nothing of it.
pub struct Work<'a, O> {
    pub owner: &'a Owner,
    pub parts: Vec<Part<O>>,
}

/// The consumer's membership, taken when its partitions were assigned; it fences a transaction of an earlier owner.
#[derive(Default)]
pub struct Owner(pub(crate) Option<ConsumerGroupMetadata>);

impl Partition {
    pub fn new(topic: &str, id: i32) -> Self {
        Self { topic: topic.into(), id }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.id)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
