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

/// A record by which a log is recognised: in one that was made anew, what stands at or before this offset was appended later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "(Offset, i64)", into = "(Offset, i64)")]
pub struct Mark {
    pub offset: Offset,
    /// By the broker's clock, in milliseconds.
    pub appended_at: i64,
}

/// Where a sink stands in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// The next record to read.
    pub position: Offset,
    /// The last record before it, where the sink knows it.
    pub last: Option<Mark>,
}

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

impl From<(Offset, i64)> for Mark {
    fn from((offset, appended_at): (Offset, i64)) -> Self {
        Self { offset, appended_at }
    }
}

impl From<Mark> for (Offset, i64) {
    fn from(Mark { offset, appended_at }: Mark) -> Self {
        (offset, appended_at)
    }
}

/// For sinks that know no more than their position.
impl From<Offset> for Bookmark {
    fn from(position: Offset) -> Self {
        Self { position, last: None }
    }
}

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
