//! The Publisher on a real Kafka: one transaction a work, one owner at a time, and no guess about a lost position.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use e2e::produce;
use stream::tail::{Start, Tail, Until};
use stream::{Batch, Error, Group, Kafka, Outgoing, Partition, Producer, Publisher, Record, Stage};
use testkit::{Suite, eventually};

const FROM: &str = "activity";
const TO: &str = "events";

/// A stage that copies numbers, in this process.
struct Copier {
    running: Arc<AtomicBool>,
    thread: JoinHandle<stream::Result<()>>,
}

impl Copier {
    fn start(kafka: &Kafka, instance: &str) -> Self {
        let kafka = Kafka { instance: Some(instance.to_owned()), ..kafka.clone() };
        let running = Arc::new(AtomicBool::new(true));
        let turning = running.clone();
        let thread = std::thread::spawn(move || {
            let copy = |batch: &mut Batch<'_>| {
                let partition = batch.partition().id;
                let out = |Record { payload, .. }: Record<'_, i64>| Outgoing::to(TO, payload).partition(partition);
                Ok(batch.decode::<i64>().map(out).collect())
            };
            let publisher = Publisher::open(&kafka, "copier.copy", &[TO])?;
            Stage::open(&kafka, "copier.copy", FROM, publisher, copy)?.run(|_| turning.load(Ordering::SeqCst))
        });
        Self { running, thread }
    }

    fn stop(self) -> stream::Result<()> {
        self.running.store(false, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn send(kafka: &Kafka, numbers: std::ops::Range<i64>) {
    let producer = Producer::open(kafka, "numbers").unwrap();
    produce(&producer, numbers.map(|number| Outgoing::to(FROM, number.to_string()).key(number.to_string())).collect());
}

/// What a reader of committed records sees, sorted.
fn copies(kafka: &Kafka) -> Vec<i64> {
    let mut tail = Tail::open(kafka, TO, Start::Everything, Until::Ends).unwrap();
    let mut numbers = Vec::new();
    while !tail.is_done() {
        let Some(record) = tail.next(Duration::from_secs(10)).unwrap() else { break };
        numbers.push(String::from_utf8(record.payload.unwrap()).unwrap().parse().unwrap());
    }
    numbers.sort_unstable();
    numbers
}

fn expect_copies(kafka: &Kafka, numbers: std::ops::Range<i64>) {
    let expected: Vec<i64> = numbers.collect();
    eventually("every number is copied once", || {
        let found = copies(kafka);
        if found == expected { Ok(()) } else { Err(format!("{} of {}", found.len(), expected.len())) }
    });
}

/// The balance of every partition adds up to so many records, each taken once and published once.
fn expect_balances(kafka: &Kafka, records: u64) {
    let balances = Group::open(kafka, "copier.copy").unwrap().balances(FROM).unwrap();
    let sum = |of: fn(&stream::Balance) -> u64| balances.iter().map(|(_, _, balance)| of(balance)).sum::<u64>();
    assert_eq!((sum(|balance| balance.taken), sum(|balance| balance.out)), (records, records), "{balances:?}");
}

#[test]
fn each_record_is_published_once_over_restarts_twins_and_a_lost_group() {
    let mut suite = Suite::start();
    let kafka = suite.kafka.config();
    send(&kafka, 0..500);
    let first = Copier::start(&kafka, "one");
    expect_copies(&kafka, 0..500);

    // A twin with the same transactional id fences the first: one of them goes on, and nothing is published twice.
    let twin = Copier::start(&kafka, "one");
    send(&kafka, 500..1_000);
    expect_copies(&kafka, 0..1_000);
    first.stop().unwrap();
    send(&kafka, 1_000..1_500);
    expect_copies(&kafka, 0..1_500);
    expect_balances(&kafka, 1_500);

    // Kafka is killed in the middle.
    suite.kafka.node(1).process.kill();
    suite.kafka.node(1).process.restart();
    suite.kafka.wait();
    send(&kafka, 1_500..2_000);
    expect_copies(&kafka, 0..2_000);
    expect_balances(&kafka, 2_000);
    twin.stop().unwrap();

    // Started again, it goes on where the transaction left the group.
    let again = Copier::start(&kafka, "two");
    send(&kafka, 2_000..2_100);
    expect_copies(&kafka, 0..2_100);
    again.stop().unwrap();
    expect_balances(&kafka, 2_100);

    // An offset that somebody sets has no balance beside it: a new one begins there.
    let group = Group::open(&kafka, "copier.copy").unwrap();
    let before = group.balances(FROM).unwrap();
    for (partition, position, balance) in &before {
        assert_eq!(balance.since.0, 0);
        eventually("the group is empty", || {
            group.commit(&Partition::new(FROM, *partition), *position).map_err(|error| error.to_string())
        });
    }
    let reset = Copier::start(&kafka, "two");
    send(&kafka, 2_100..2_200);
    expect_copies(&kafka, 0..2_200);
    reset.stop().unwrap();
    expect_balances(&kafka, 100);
    for ((_, position, _), (_, _, balance)) in before.iter().zip(group.balances(FROM).unwrap()) {
        assert_eq!(balance.since, *position);
    }

    // Another group knows nothing of what was published: it must not start from the beginning.
    let stranger = Copier::start(&Kafka { group: Some("stranger".into()), ..kafka.clone() }, "three");
    let Err(Error::Fatal { exit_code: 78, cause }) = stranger.thread.join().unwrap() else { panic!("it started") };
    assert!(cause.to_string().starts_with("position_lost"), "{cause}");
    assert_eq!(copies(&kafka).len(), 2_200);
}

#[test]
fn a_service_that_never_published_starts_again_although_somebody_else_did() {
    let mut suite = Suite::start();
    suite.run("attribution");
    suite.service("attribution").kill();
    let install = testkit::sample::install("i", "acme").to_string();
    produce(
        &Producer::open(&suite.kafka.config(), "foreign").unwrap(),
        vec![Outgoing::to("installs", install).key("i")],
    );
    suite.service("attribution").restart();
    suite.ready("attribution");
}
