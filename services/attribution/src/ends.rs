//! Where the partitions of a topic ended at some moment, and whether a reader has got there.

use std::collections::BTreeMap;

use anyhow::Context as _;
use ledger::require_unchanged;
use stream::Offset;

/// Each partition of a topic with its first offset and its end; tests pass their own.
type AskEnds = Box<dyn Fn(&str) -> stream::Result<Vec<(i32, i64, i64)>> + Send>;

/// The log, of which the number of partitions may never change.
pub(crate) struct Log {
    ask: AskEnds,
    partitions: usize,
}

/// The first offset and the end of each partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ends(BTreeMap<i32, (i64, i64)>);

impl Log {
    /// `partitions` is how many there were when the service first ran.
    pub(crate) fn new(
        ask: impl Fn(&str) -> stream::Result<Vec<(i32, i64, i64)>> + Send + 'static,
        partitions: usize,
    ) -> Self {
        Self { ask: Box::new(ask), partitions }
    }

    /// Where a topic ends now, with what stands in open transactions.
    pub(crate) fn ends(&self, topic: &str) -> anyhow::Result<Ends> {
        let ends = (self.ask)(topic).with_context(|| format!("asking where {topic} ends"))?;
        require_unchanged(topic, self.partitions, ends.len())?;
        Ok(Ends::of(ends))
    }
}

impl Ends {
    pub(crate) fn of(ends: impl IntoIterator<Item = (i32, i64, i64)>) -> Self {
        Self(ends.into_iter().map(|(partition, first, end)| (partition, (first, end))).collect())
    }

    pub(crate) fn partitions(&self) -> Vec<i32> {
        self.0.keys().copied().collect()
    }

    /// The same of one partition alone.
    pub(crate) fn only(&self, partition: i32) -> Self {
        Self(self.0.get(&partition).map(|&ends| (partition, ends)).into_iter().collect())
    }

    /// Whether the record at this offset lies below its end.
    pub(crate) fn hold(&self, partition: i32, record: Offset) -> bool {
        self.0.get(&partition).is_some_and(|&(_, end)| record.0 < end)
    }

    /// The partitions that a reader with these positions has not read to their ends. One that never stored a position has
    /// read all of a partition that holds nothing.
    pub(crate) fn missed(&self, positions: impl IntoIterator<Item = (i32, Option<i64>)>) -> Vec<i32> {
        let mut missed = self.0.clone();
        for (partition, position) in positions {
            let is_read = |&(first, end): &(i64, i64)| position.unwrap_or(first) >= end;
            if missed.get(&partition).is_some_and(is_read) {
                missed.remove(&partition);
            }
        }
        missed.into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_missed_what_lies_beyond_its_positions() {
        let ends = Ends::of([(0, 0, 10), (1, 0, 0), (2, 7, 7), (3, 0, 5)]);
        let all = [(0, Some(10)), (1, Some(0)), (2, None), (3, Some(6))];
        assert!(ends.missed(all).is_empty());
        for (position, expected) in
            [((0, Some(9)), vec![0]), ((0, None), vec![0]), ((1, None), vec![]), ((3, Some(4)), vec![3])]
        {
            let positions =
                all.into_iter().map(|(id, reached)| if id == position.0 { position } else { (id, reached) });
            assert_eq!(ends.missed(positions), expected, "{position:?}");
        }
        assert_eq!(ends.missed([(0, Some(10))]), [1, 2, 3], "an answer without a partition proves nothing of it");
    }
}
