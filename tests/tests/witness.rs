//! The witness in Kafka: how far an emptied store had been, whatever happened since.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use e2e::produce;
use stream::{Batch, BatchLimits, Bookmark, Kafka, Outgoing, Partition, Producer, Result, Sink, Stage, Standing, Work};
use testkit::Suite;

const TOPIC: &str = "events";
const PARTITION: i32 = 1;
const RECORDS: i64 = 50;

/// A store that is always empty when it is asked where to resume, as one that was flushed is.
#[derive(Clone, Default)]
struct Emptied {
    /// The witness of the partition when this sink resumed; -1 for none.
    witness: Arc<AtomicI64>,
    position: Arc<AtomicI64>,
}

impl Sink for Emptied {
    type Output = ();

    fn resume(&mut self, standings: &[Standing]) -> Result<Vec<Bookmark>> {
        let ours = standings.iter().find(|standing| standing.partition == Partition::new(TOPIC, PARTITION));
        if let Some(standing) = ours {
            self.witness.store(standing.committed.map_or(-1, |offset| offset.0), Ordering::SeqCst);
        }
        Ok(standings.iter().map(|standing| standing.first.into()).collect())
    }

    fn commit(&mut self, work: Work<'_, ()>) -> Result<()> {
        let ours = work.parts.iter().find(|part| part.partition.id == PARTITION);
        if let Some(part) = ours {
            self.position.store(part.next.0, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Reads from the beginning, a record each `pace`, as far as `until`, and stays for a moment; answers which witness it
/// found.
fn read(kafka: &Kafka, pace: Duration, until: i64) -> i64 {
    let sink = Emptied::default();
    let (witness, position) = (sink.witness.clone(), sink.position.clone());
    let skip = move |batch: &mut Batch<'_>| {
        let records = batch.decode::<i64>().count();
        std::thread::sleep(pace * u32::try_from(records).unwrap());
        Ok(())
    };
    let limits = BatchLimits { max_records: 1, ..BatchLimits::default() };
    let stage = Stage::open(kafka, "witness.read", TOPIC, sink, skip).unwrap().limits(&limits);
    let there_since = Cell::new(None);
    let goes_on = |_: Option<&str>| {
        if position.load(Ordering::SeqCst) < until {
            return true;
        }
        let since = there_since.get().unwrap_or_else(Instant::now);
        there_since.set(Some(since));
        since.elapsed() < Duration::from_millis(2_500)
    };
    stage.run(goes_on).unwrap();
    witness.load(Ordering::SeqCst)
}

#[test]
fn the_witness_follows_the_last_record_and_never_goes_back() {
    let suite = Suite::start();
    let kafka = suite.kafka.config();
    let producer = Producer::open(&kafka, "numbers").unwrap();
    let numbers = (0..RECORDS).map(|number: i64| Outgoing::to(TOPIC, number.to_string()).partition(PARTITION).key("k"));
    produce(&producer, numbers.collect());

    assert_eq!(read(&kafka, Duration::ZERO, RECORDS), -1, "a first start");
    // No other record came after the last one, and a rebuild that ended in its middle is no news.
    assert_eq!(read(&kafka, Duration::from_millis(200), 10), RECORDS);
    assert_eq!(read(&kafka, Duration::ZERO, 1), RECORDS);
}
