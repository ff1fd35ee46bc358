//! A stage that stays behind the log, on a real Kafka.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::{now_ms, produce};
use stream::{Batch, Bookmark, Kafka, Outgoing, Producer, Result, Sink, Stage, Standing, Work};
use testkit::Suite;

const TOPIC: &str = "events";
const HOLD: Duration = Duration::from_secs(3);
/// The broker gives a batch of records one time, and rounds it.
const ROUNDED: i64 = 2;

/// Partition, number and age in milliseconds of each record of a commit.
type Step = Vec<(i32, i64, i64)>;

struct Kept {
    steps: Arc<Mutex<Vec<Step>>>,
    kafka: Kafka,
}

impl Sink for Kept {
    type Output = Step;

    /// The stage is about to read: what is appended now, it finds together with what was there.
    fn resume(&mut self, standings: &[Standing]) -> Result<Vec<Bookmark>> {
        append(&self.kafka, 20..40);
        Ok(standings.iter().map(|standing| standing.first.into()).collect())
    }

    fn commit(&mut self, work: Work<'_, Step>) -> Result<()> {
        self.steps.lock().unwrap().push(work.parts.into_iter().flat_map(|part| part.output).collect());
        Ok(())
    }
}

/// These numbers to both partitions.
fn append(kafka: &Kafka, numbers: Range<i64>) {
    let producer = Producer::open(kafka, "numbers").unwrap();
    for partition in [0, 1] {
        let record = |number: i64| Outgoing::to(TOPIC, number.to_string()).partition(partition).key("k");
        produce(&producer, numbers.clone().map(record).collect());
    }
}

#[test]
fn what_has_lain_for_the_hold_is_handed_out_and_waits_for_nothing_younger() {
    let suite = Suite::start();
    let kafka = suite.kafka.config();
    append(&kafka, 0..20);
    std::thread::sleep(HOLD);

    let steps = Arc::default();
    let look = |batch: &mut Batch<'_>| {
        let (partition, now) = (batch.partition().id, now_ms());
        Ok(batch.decode::<i64>().map(|record| (partition, record.value, now - record.appended_at)).collect())
    };
    let sink = Kept { steps: Arc::clone(&steps), kafka: kafka.clone() };
    let stage = Stage::open(&kafka, "hold.read", TOPIC, sink, look).unwrap().hold(HOLD);
    stage.run(|_| steps.lock().unwrap().iter().map(Vec::len).sum::<usize>() < 80).unwrap();

    let steps = steps.lock().unwrap();
    let all: Vec<_> = steps.iter().flatten().collect();
    for partition in [0, 1] {
        let numbers = all.iter().filter(|(id, ..)| *id == partition).map(|(_, number, _)| *number);
        assert_eq!(numbers.collect::<Vec<_>>(), (0..40).collect::<Vec<_>>(), "partition {partition}: once, in order");
    }
    let hold = i64::try_from(HOLD.as_millis()).unwrap();
    let youngest = all.iter().map(|(.., age)| *age).min().unwrap();
    assert!(youngest >= hold - ROUNDED, "a record was handed out after {youngest} ms");
    let is_mixed = |step: &&Step| step.iter().any(|&(_, number, _)| (number < 20) != (step[0].1 < 20));
    assert_eq!(steps.iter().find(is_mixed), None, "what was ripe waited for what was not");
}
