//! What Kafka knows of partitions, and whether their logs are those that a sink has read.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset as Place;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::halt::{Halt, HaltCode};
use crate::watermarks::{each_offset, offsets};
use crate::{Bookmark, Mark, Offset, Partition, Result, Standing};

/// How long Kafka may take to answer for the committed offsets. While a transaction holds one open, it does not.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The clocks of two brokers that lead a partition one after the other may differ by less than this.
const SKEW_MS: i64 = 1_000;

/// The position to read on from, or why nobody should.
pub(crate) type Known = std::result::Result<Offset, Halt>;

/// Asks for the partitions, in this order.
pub(crate) fn standings<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &Arc<str>,
    partitions: &[i32],
) -> Result<Vec<Standing>> {
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for &id in partitions {
        asked.add_partition_offset(topic, id, Place::Invalid)?;
    }
    let committed = consumer.committed_offsets(asked, ANSWER_WITHIN)?;
    let first = offsets(consumer, topic, partitions, Place::Beginning)?;
    let end = offsets(consumer, topic, partitions, Place::End)?;
    let standing = |((id, first), (_, end)): ((i32, i64), (i32, i64))| {
        let (committed, metadata) = match committed.find_partition(topic, id) {
            Some(element) => {
                element.error()?;
                let committed = element.offset().to_raw().filter(|&offset| offset >= 0).map(Offset);
                (committed, element.metadata().to_owned())
            }
            None => (None, String::new()),
        };
        let partition = Partition { topic: topic.clone(), id };
        Ok(Standing { partition, committed, metadata, first: Offset(first), end: Offset(end) })
    };
    first.into_iter().zip(end).map(standing).collect()
}

/// Compares each partition with what the sink knows of it.
pub(crate) fn recognise<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    standings: &mut [Standing],
    bookmarks: &[Bookmark],
) -> Result<Vec<Known>> {
    let mut later = Vec::new();
    for (standing, Bookmark { position, last }) in standings.iter_mut().zip(bookmarks) {
        let id = standing.partition.id;
        if *position > standing.end {
            // Somebody else may have stored more since the end was asked for.
            offsets(consumer, topic, &[id], Place::End)?.iter().for_each(|&(_, end)| standing.end = Offset(end));
        }
        later.extend(last.filter(|last| last.offset < *position).map(|last| (id, last.later())));
    }
    let later = each_offset(consumer, topic, &later)?;
    let is_known = |(standing, bookmark): (&Standing, &Bookmark)| {
        let first_later = later.iter().find(|(id, _)| *id == standing.partition.id).map(|&(_, offset)| Offset(offset));
        standing.check(bookmark, first_later)
    };
    Ok(standings.iter().zip(bookmarks).map(is_known).collect())
}

impl Mark {
    /// What was appended from then on stands behind this record.
    fn later(self) -> Place {
        Place::Offset(self.appended_at.saturating_add(SKEW_MS))
    }
}

impl Standing {
    /// A position outside the log, or in another log, is never mended silently. `later` is where the first record stands
    /// that was appended after the last one that was read.
    fn check(&self, &Bookmark { position, last }: &Bookmark, later: Option<Offset>) -> Known {
        let Self { partition, first, end, .. } = self;
        let halt = |code, found: String| Halt {
            partition: partition.clone(),
            code,
            reason: format!("{found}; see `attributary positions`"),
            position,
        };
        if position > *end {
            let found = format!("it ends at {end}, but {position} is the next to read");
            return Err(halt(HaltCode::TopicRecreated, found));
        }
        if position < *first {
            let gap = first.0 - position.0;
            let found = format!("it begins at {first}, but {position} is the next to read: {gap} offsets are gone");
            return Err(halt(HaltCode::OffsetOutOfRange, found));
        }
        match (last, later) {
            (Some(Mark { offset: read, .. }), Some(later)) if later <= read => {
                let found = format!("what stands at {later} was appended after what was read at {read}");
                Err(halt(HaltCode::TopicRecreated, found))
            }
            _ => Ok(position),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Partition;

    fn words(position: i64, last: Option<i64>, later: Option<i64>) -> String {
        let partition = Partition::new("installs", 3);
        let standing =
            Standing { partition, committed: None, metadata: String::new(), first: Offset(10), end: Offset(20) };
        let last = last.map(|offset| Mark { offset: Offset(offset), appended_at: 7 });
        let found = standing.check(&Bookmark { position: Offset(position), last }, later.map(Offset));
        found.map_or_else(|halt| halt.to_string(), |_| String::new())
    }

    #[test]
    fn only_a_position_within_the_log_goes_on() {
        for position in [10, 15, 20] {
            assert_eq!(words(position, None, None), "");
        }
        let (beyond, before) = (words(21, None, None), words(4, None, None));
        assert!(beyond.starts_with("installs/3 stands still: topic_recreated: it ends at 20, but 21"), "{beyond}");
        assert!(before.contains("offset_out_of_range") && before.contains("6 offsets are gone"), "{before}");
    }

    /// Control records stand behind the last record that was read and are younger: the position is behind them.
    #[test]
    fn a_younger_record_at_or_before_the_last_one_that_was_read_is_of_another_log() {
        for (position, last, later, known) in [
            (18, Some(16), Some(17), true),
            (18, Some(16), Some(20), true),
            (18, Some(16), Some(16), false),
            (18, Some(16), Some(10), false),
            (18, None, None, true),
        ] {
            let words = words(position, last, later);
            assert_eq!(words.is_empty(), known, "{words}");
            assert!(known || words.contains("topic_recreated"), "{words}");
        }
    }
}
