//! The layout of keys: everything of one partition stands under one hash tag, so that one script is one slot.

/// The key of the balance, behind the tag.
pub(crate) const BALANCE: &str = "balance";

/// Names the keys of one stage's topic.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// `reports.installs.1:installs`: service, stage, generation, topic.
    base: String,
}

impl Layout {
    pub(crate) fn new(stage: &str, generation: u32, topic: &str) -> Self {
        Self { base: format!("{stage}.{generation}:{topic}") }
    }

    /// What every key of the partition begins with: `{reports.installs.1:installs:7}:`.
    pub(crate) fn tag(&self, partition: i32) -> String {
        format!("{{{}:{partition}}}:", self.base)
    }

    /// The next offset to read.
    pub(crate) fn position(&self, partition: i32) -> String {
        self.tag(partition) + "position"
    }

    /// What became of the records up to the position.
    pub(crate) fn balance(&self, partition: i32) -> String {
        self.tag(partition) + BALANCE
    }

    /// The position at which a rebuild has caught up with what was lost.
    pub(crate) fn rebuilding_until(&self, partition: i32) -> String {
        self.tag(partition) + "rebuilding_until"
    }

    /// The first offset that was counted, where Kafka no longer had the beginning.
    pub(crate) fn incomplete_from(&self, partition: i32) -> String {
        self.tag(partition) + "incomplete_from"
    }

    /// The notes of an operator who moved the position by hand.
    pub(crate) fn skips(&self, partition: i32) -> String {
        self.tag(partition) + "skips"
    }

    /// The set of partitions that were ever assigned: what a reader sums over.
    pub(crate) fn partitions(&self) -> String {
        format!("{{{}}}:partitions", self.base)
    }
}
