//! Reading a topic without a consumer group: for tools, for looking back after a restart, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::Offset as Place;

use crate::kafka::Quiet;
use crate::watermarks::{list, offsets, partitions};
use crate::{Error, Kafka, Offset, Partition, Result};

/// Reads some partitions of a topic from where it is told, and leaves no trace in Kafka: no group, no committed offset.
///
/// Until [`Until::Ends`], every record that stood in the log when the tail was opened is yielded once, and none that
/// came later. Records of one partition come in order.
pub struct Tail {
    consumer: BaseConsumer<Quiet>,
    topic: Arc<str>,
    /// Partitions that have more to give, with the offset at which they are done.
    unread: BTreeMap<i32, i64>,
}

/// Where reading begins.
#[derive(Clone, Debug)]
pub enum Start {
    /// At the first record that Kafka still has, of these partitions.
    First(Vec<i32>),
    /// At the first record of every partition.
    Everything,
    /// At these offsets.
    At(Vec<(i32, Offset)>),
    /// At the first record with this timestamp (milliseconds) or a later one, of these partitions.
    Since(Vec<i32>, i64),
    /// Behind the last record, of these partitions.
    End(Vec<i32>),
}

/// Where reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// At the ends as they are when the tail is opened.
    Ends,
    /// Never: it waits for more.
    Stopped,
}

/// A record as it stands in Kafka, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub partition: Partition,
    pub offset: Offset,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
    /// Milliseconds; the broker's append time in our topics.
    pub timestamp: i64,
}

const NO_END: i64 = i64::MAX;

impl Tail {
    /// Reads what a `read_committed` client may see: nothing of open or aborted transactions.
    pub fn open(kafka: &Kafka, topic: &str, start: Start, until: Until) -> Result<Self> {
        Self::open_at("read_committed", kafka, topic, (start, until))
    }

    /// Reads everything in the log, aborted transactions included.
    pub fn open_uncommitted(kafka: &Kafka, topic: &str, start: Start, until: Until) -> Result<Self> {
        Self::open_at("read_uncommitted", kafka, topic, (start, until))
    }

    /// The next record, or `None` when nothing came in time or everything was read: [`Tail::is_done`] tells which.
    pub fn next(&mut self, within: Duration) -> Result<Option<Stored>> {
        let deadline = Instant::now() + within;
        while !self.is_done() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.consumer.poll(left) {
                Some(Ok(message)) => {
                    let stored = stored(&self.topic, &message);
                    drop(message);
                    if self.keeps(&stored) {
                        return Ok(Some(stored));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => self.reached_end(partition),
                Some(Err(error)) if is_connection(&error) => {}
                Some(Err(error)) => return Err(error.into()),
                None if left.is_zero() => break,
                None => {}
            }
        }
        Ok(None)
    }

    /// Whether every partition was read up to where it ended when the tail was opened.
    pub fn is_done(&self) -> bool {
        self.unread.is_empty()
    }

    /// The records up to the ends, as an iterator that fails when nothing comes for as long as `patience`.
    pub fn records(mut self, patience: Duration) -> impl Iterator<Item = Result<Stored>> {
        let mut failed = false;
        std::iter::from_fn(move || {
            if failed {
                return None;
            }
            let next = self.next(patience).and_then(|record| match record {
                None if !self.is_done() => {
                    Err(Error::transient(format!("nothing came from {} for {patience:?}", self.topic)))
                }
                record => Ok(record),
            });
            failed = next.is_err();
            next.transpose()
        })
    }

    fn open_at(isolation: &str, kafka: &Kafka, topic: &str, (start, until): (Start, Until)) -> Result<Self> {
        let mut settings = kafka.consumer("tail")?;
        // librdkafka assigns nothing without a group's name; nobody joins it, and nothing is committed to it.
        settings
            .set("group.id", "attributary.tail")
            .set("isolation.level", isolation)
            .set("enable.partition.eof", "true");
        let consumer: BaseConsumer<Quiet> = settings.create_with_context(Quiet)?;
        let from = resolve(&consumer, topic, start)?;
        let ids: Vec<i32> = from.iter().map(|(partition, _)| *partition).collect();
        let ends: Vec<(i32, i64)> = match until {
            Until::Ends => offsets(&consumer, topic, &ids, Place::End)?,
            Until::Stopped => ids.iter().map(|id| (*id, NO_END)).collect(),
        };
        let unread: BTreeMap<i32, i64> = ends
            .iter()
            .zip(&from)
            .filter(|((_, end), (_, from))| from < end)
            .map(|((id, end), _)| (*id, *end))
            .collect();
        let starts = from.into_iter().filter(|(partition, _)| unread.contains_key(partition));
        consumer.assign(&list(topic, starts.map(|(partition, offset)| (partition, Place::Offset(offset))))?)?;
        Ok(Self { consumer, topic: topic.into(), unread })
    }

    /// Whether a record stood in the log when the tail was opened; the last one of a partition closes it.
    fn keeps(&mut self, record: &Stored) -> bool {
        let Some(&end) = self.unread.get(&record.partition.id) else { return false };
        if record.offset.0 + 1 >= end {
            self.unread.remove(&record.partition.id);
        }
        record.offset.0 < end
    }

    /// Behind the last record may stand the marks of transactions, which are never yielded: the client's word that it
    /// reached the end is what closes the partition then.
    fn reached_end(&mut self, partition: i32) {
        if self.unread.get(&partition).is_some_and(|&end| end != NO_END) {
            self.unread.remove(&partition);
        }
    }
}

fn resolve(consumer: &BaseConsumer<Quiet>, topic: &str, start: Start) -> Result<Vec<(i32, i64)>> {
    match start {
        Start::First(ids) => offsets(consumer, topic, &ids, Place::Beginning),
        Start::Everything => offsets(consumer, topic, &partitions(consumer, topic)?, Place::Beginning),
        Start::At(places) => Ok(places.into_iter().map(|(id, offset)| (id, offset.0)).collect()),
        Start::Since(ids, millis) => offsets(consumer, topic, &ids, Place::Offset(millis)),
        Start::End(ids) => offsets(consumer, topic, &ids, Place::End),
    }
}

fn stored(topic: &Arc<str>, message: &BorrowedMessage<'_>) -> Stored {
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect()
    });
    Stored {
        partition: Partition { topic: topic.clone(), id: message.partition() },
        offset: Offset(message.offset()),
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
        timestamp: message.timestamp().to_millis().unwrap_or_default(),
    }
}

/// Errors that librdkafka mends by itself; whoever waits has a deadline.
fn is_connection(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Delivery, MemoryBroker, Outgoing, Producer, Watermarks};

    const PATIENCE: Duration = Duration::from_secs(10);

    fn fill(kafka: &Kafka, records: std::ops::Range<i32>) {
        let records = records.map(|number| Outgoing::to("letters", number.to_string()).partition(number % 2).key("k"));
        let deliveries = Producer::open(kafka, "tests").unwrap().send_blocking(records.collect());
        assert!(deliveries.iter().all(|delivery| matches!(delivery, Delivery::Stored { .. })), "{deliveries:?}");
    }

    fn numbers(tail: Tail) -> Vec<i32> {
        let text = |stored: Stored| String::from_utf8(stored.payload.unwrap()).unwrap().parse().unwrap();
        let mut numbers: Vec<i32> = tail.records(PATIENCE).map(|stored| text(stored.unwrap())).collect();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn a_tail_reads_from_where_it_is_told_to_the_ends_as_they_were() {
        let broker = MemoryBroker::start(&["letters".to_owned()], 2).unwrap();
        let kafka = Kafka { brokers: broker.brokers(), ..Kafka::default() };
        let open = |start| Tail::open(&kafka, "letters", start, Until::Ends).unwrap();
        assert!(open(Start::Everything).is_done());

        fill(&kafka, 0..10);
        assert_eq!(Watermarks::open(&kafka).unwrap().ends("letters").unwrap(), [(0, 0, 5), (1, 0, 5)]);
        let before = open(Start::Everything);
        fill(&kafka, 10..20);
        assert_eq!(numbers(before), (0..10).collect::<Vec<_>>());
        assert_eq!(numbers(open(Start::First(vec![1]))), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
        assert_eq!(numbers(open(Start::At(vec![(0, Offset(8)), (1, Offset(10))]))), [16, 18]);
        assert!(open(Start::End(vec![0, 1])).is_done());

        let mut following = Tail::open(&kafka, "letters", Start::End(vec![0, 1]), Until::Stopped).unwrap();
        fill(&kafka, 20..21);
        let stored = following.next(PATIENCE).unwrap().unwrap();
        assert_eq!(
            (stored.partition.to_string(), stored.offset, stored.key),
            ("letters/0".into(), Offset(10), Some(b"k".to_vec()))
        );
    }
}
