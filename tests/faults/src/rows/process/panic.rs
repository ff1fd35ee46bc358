//! A handler that panics at certain records: they are refused, and everything else goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::index::sample;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use stream::{Delivery, Outgoing, Producer};
use testkit::{Suite, eventually_within};

use crate::log;

const S: Duration = Duration::from_secs(1);
const TOPIC: &str = "panicking";
const PARTITIONS: i32 = 4;
const RECORDS: usize = 4_000;
const PANICS: usize = 7;
const NAMES: [&str; 2] = ["panicking", "panicking-2"];

/// Two replicas of a service of its own read its topic, and are killed meanwhile.
pub(super) fn panics(seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let mut suite = Suite::start();
    suite.kafka.create_topic(TOPIC, PARTITIONS);
    suite.kafka.create_topic(&stream::dead_topic(TOPIC), 1);
    NAMES.iter().for_each(|name| suite.run(name));
    let producer = Producer::open(&suite.kafka.config(), "rows").unwrap();
    let marked: BTreeSet<usize> = sample(&mut random, RECORDS, PANICS).into_iter().collect();
    let mut places = BTreeSet::new();
    let numbers: Vec<usize> = (0..RECORDS).collect();
    for (turn, numbers) in numbers.chunks(RECORDS / 8).enumerate() {
        let record = |&number: &usize| {
            let payload = json!({ "number": number, "panics": marked.contains(&number) });
            Outgoing::to(TOPIC, payload.to_string()).key(format!("{number}"))
        };
        let settled = producer.send_blocking(numbers.iter().map(record).collect());
        for (number, delivery) in numbers.iter().zip(settled) {
            let Delivery::Stored { partition, offset } = delivery else { panic!("{delivery:?}") };
            if marked.contains(number) {
                places.insert((partition, offset));
            }
        }
        if turn % 3 == 2 {
            let name = NAMES[random.random_range(0..2)];
            suite.service(name).kill();
            suite.service(name).restart();
        }
    }
    let right = RECORDS - PANICS;
    eventually_within(60 * S, "everything else is counted", || match counted(&suite) {
        counted if counted == right => Ok(()),
        counted => Err(format!("{counted} of {right}")),
    });
    let letters = letters(&suite);
    assert_eq!(letters, places, "the letters are not the records at which it panics");
    assert_eq!(counted(&suite), right, "each once");
    // Neither has ended by itself: it would not be ready.
    NAMES.iter().for_each(|name| suite.ready(name));
    format!("{PANICS} of {RECORDS} records refused as handler_panicked, boots 0")
}

/// How many records were counted, over all partitions.
fn counted(suite: &Suite) -> usize {
    let of = |partition: i32| {
        let key = format!("{{panicking.records.1:{TOPIC}:{partition}}}:records");
        suite.redis.command(&["HGET", &key, "all"]).parse::<usize>().unwrap_or_default()
    };
    (0..PARTITIONS).map(of).sum()
}

/// Where the refused records stand.
fn letters(suite: &Suite) -> BTreeSet<(i32, i64)> {
    let letters = log::read(&suite.kafka.direct(), &stream::dead_topic(TOPIC)).unwrap();
    letters
        .iter()
        .map(|letter| {
            assert_eq!(letter.headers[stream::HEADER_CODE], "handler_panicked", "{letter:?}");
            let number = |name: &str| letter.headers[name].parse::<i64>().unwrap();
            (i32::try_from(number(stream::HEADER_PARTITION)).unwrap(), number(stream::HEADER_OFFSET))
        })
        .collect()
}
