//! What Kafka knows of partitions, and whether their logs are those that a sink has read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset as Place;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};

use crate::halt::{Halt, HaltCode};
use crate::tail::{Start, Tail, Until};
use crate::watermarks::{each_offset, list, offsets};
use crate::{Bookmark, Error, Kafka, Mark, Offset, Partition, Result, Standing};

/// How long Kafka may take to answer for the committed offsets. While a transaction holds one open, it does not.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The position to read on from, or why nobody should.
pub(crate) type Known = std::result::Result<Offset, Halt>;

/// Asks for the partitions, in this order.
pub(crate) fn standings<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &Arc<str>,
    partitions: &[i32],
) -> Result<Vec<Standing>> {
    let asked = list(topic, partitions.iter().map(|&id| (id, Place::Invalid)))?;
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
    (kafka, consumer): (&Kafka, &BaseConsumer<C>),
    topic: &str,
    standings: &mut [Standing],
    bookmarks: &[Bookmark],
) -> Result<Vec<Known>> {
    let mut marks = Vec::new();
    for (standing, Bookmark { position, last }) in standings.iter_mut().zip(bookmarks) {
        let id = standing.partition.id;
        if *position > standing.end {
            // Somebody else may have stored more since the end was asked for.
            offsets(consumer, topic, &[id], Place::End)?.iter().for_each(|&(_, end)| standing.end = Offset(end));
        }
        marks.extend(last.map(|last| (id, last)));
    }
    let replaced = replaced((kafka, consumer), topic, &marks)?;
    let check = |(standing, bookmark): (&Standing, &Bookmark)| {
        standing.check(bookmark.position, bookmark.last.filter(|_| replaced.contains(&standing.partition.id)))
    };
    Ok(standings.iter().zip(bookmarks).map(check).collect())
}

/// The partitions in which the marked record stands no more although Kafka has not deleted it: they are other logs.
pub(crate) fn replaced<C: ConsumerContext>(
    (kafka, consumer): (&Kafka, &BaseConsumer<C>),
    topic: &str,
    marks: &[(i32, Mark)],
) -> Result<BTreeSet<i32>> {
    let after = |&(id, mark): &(i32, Mark)| (id, Place::Offset(mark.appended_at.saturating_add(1)));
    let younger = each_offset(consumer, topic, &marks.iter().map(after).collect::<Vec<_>>())?;
    let mut replaced = BTreeSet::new();
    for (&(id, mark), (_, younger)) in marks.iter().zip(younger) {
        // Something younger at or before it: another log, or a broker whose clock went back.
        if younger <= mark.offset.0 && !stands(kafka, topic, id, mark)? {
            replaced.insert(id);
        }
    }
    Ok(replaced)
}

/// Whether the record is there as it was read.
fn stands(kafka: &Kafka, topic: &str, id: i32, mark: Mark) -> Result<bool> {
    let mut tail = Tail::open(kafka, topic, Start::At(vec![(id, mark.offset)]), Until::Ends)?;
    match tail.next(ANSWER_WITHIN)? {
        Some(found) => Ok(Mark { offset: found.offset, appended_at: found.timestamp } == mark),
        None if tail.is_done() => Ok(false),
        None => Err(Error::transient(format!("{topic}/{id}: the record at {} cannot be read", mark.offset))),
    }
}

impl Standing {
    /// A position outside the log, or in another log, is never mended silently. `missing` is the last record that was
    /// read, if it stands there no more.
    fn check(&self, position: Offset, missing: Option<Mark>) -> Known {
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
        match missing {
            Some(Mark { offset, .. }) => {
                let found = format!("at {offset} stands another record than the one that was read there");
                Err(halt(HaltCode::TopicRecreated, found))
            }
            None => Ok(position),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryBroker, Outgoing, Producer};

    #[test]
    fn only_a_position_within_the_log_goes_on_and_only_where_it_is_the_same_log() {
        let words = |position, missing: Option<i64>| {
            let partition = Partition::new("installs", 3);
            let standing =
                Standing { partition, committed: None, metadata: String::new(), first: Offset(10), end: Offset(20) };
            let missing = missing.map(|offset| Mark { offset: Offset(offset), appended_at: 7 });
            let found = standing.check(Offset(position), missing);
            found.map_or_else(|halt| halt.to_string(), |_| String::new())
        };
        for position in [10, 15, 20] {
            assert_eq!(words(position, None), "");
        }
        let (beyond, before, another) = (words(21, None), words(4, None), words(18, Some(16)));
        assert!(beyond.starts_with("installs/3 stands still: topic_recreated: it ends at 20, but 21"), "{beyond}");
        assert!(before.contains("offset_out_of_range") && before.contains("6 offsets are gone"), "{before}");
        assert!(another.contains("topic_recreated: at 16 stands another record"), "{another}");
    }

    /// A clock that went back makes older records look younger than the last one: only the record itself tells.
    #[test]
    fn a_log_is_another_one_where_the_marked_record_is_not_there_as_it_was() {
        let broker = MemoryBroker::start(&["numbers".to_owned()], 1).unwrap();
        let kafka = Kafka { brokers: broker.brokers(), ..Kafka::default() };
        let records = (0..5).map(|number| Outgoing::to("numbers", number.to_string()).partition(0));
        Producer::open(&kafka, "tests").unwrap().send_blocking(records.collect());
        let mut tail = Tail::open(&kafka, "numbers", Start::First(vec![0]), Until::Ends).unwrap();
        let stored = std::iter::from_fn(|| tail.next(ANSWER_WITHIN).unwrap()).nth(3).unwrap();

        let there = Mark { offset: stored.offset, appended_at: stored.timestamp };
        let elsewhere = Mark { offset: Offset(2), appended_at: stored.timestamp - 60_000 };
        assert!(stands(&kafka, "numbers", 0, there).unwrap());
        assert!(!stands(&kafka, "numbers", 0, elsewhere).unwrap());
        assert!(!stands(&kafka, "numbers", 0, Mark { offset: Offset(5), ..there }).unwrap());
    }
}
