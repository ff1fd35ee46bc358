//! A million installs from a foreign client straight into `installs`, one in a hundred broken.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::expect_totals;
use stream::tail::{Start, Tail, Until};
use testkit::{Suite, sample};

const RECORDS: usize = 1_000_000;
const SOURCES: [&str; 4] = ["acme", "northwind", "bluebird", "organic"];

/// The ways in which a record may be broken, with the code that each is refused for.
fn broken(number: usize) -> (String, &'static str) {
    match number / 100 % 4 {
        0 => (format!("no json {number}"), "json_syntax"),
        1 => (format!(r#"{{"event_id":"b{number}","app_id":"a","event_time":"yesterday"}}"#), "ts_format"),
        2 => (format!(r#"{{"event_id":"b {number}","app_id":"a","event_time":1795342272345}}"#), "event_id_format"),
        _ => (format!(r#"{{"event_id":"b{number}","event_time":1795342272345}}"#), "field_missing"),
    }
}

#[test]
fn a_million_records_of_a_foreign_client_are_counted_and_the_broken_ones_kept() {
    let mut suite = Suite::start();
    suite.run("reports");
    let mut kcat = Command::new("kcat")
        .args(["-P", "-b", &suite.kafka.brokers(), "-t", "installs", "-K", "\t", "-z", "lz4"])
        .args(["-X", "partitioner=murmur2_random", "-X", "queue.buffering.max.messages=1000000"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufWriter::new(kcat.stdin.take().unwrap());
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    let mut letters: BTreeMap<String, &str> = BTreeMap::new();
    let template = sample::install("NUMBER", "SOURCE").to_string();
    for number in 0..RECORDS {
        let record = if number % 100 == 0 {
            let (record, code) = broken(number);
            letters.insert(record.clone(), code);
            record
        } else {
            let source = SOURCES[number % SOURCES.len()];
            *expected.entry(source.to_owned()).or_default() += 1;
            template.replace("NUMBER", &number.to_string()).replace("SOURCE", source)
        };
        writeln!(lines, "device-{number}\t{record}").unwrap();
    }
    drop(lines);
    assert!(kcat.wait().unwrap().success());

    expect_totals(&suite, ("installs", "media_source"), &expected);
    expect_letters(&suite, letters);
}

/// Every broken record is among the dead letters, byte for byte, with its coordinates and its code.
fn expect_letters(suite: &Suite, mut expected: BTreeMap<String, &str>) {
    let kafka = suite.kafka.config();
    let mut tail = Tail::open(&kafka, "installs.dead", Start::Everything, Until::Ends).unwrap();
    while !tail.is_done() {
        let Some(letter) = tail.next(Duration::from_secs(20)).unwrap() else { break };
        let header = |name: &str| {
            let found = letter.headers.iter().find(|(key, _)| key == name);
            String::from_utf8(found.unwrap_or_else(|| panic!("no {name}")).1.clone()).unwrap()
        };
        let payload = String::from_utf8(letter.payload.clone().unwrap()).unwrap();
        let code = expected.remove(&payload).unwrap_or_else(|| panic!("an unexpected letter, or one twice: {payload}"));
        assert_eq!((header("dead-code").as_str(), header("dead-topic").as_str()), (code, "installs"), "{payload}");
        assert!(!header("dead-reason").is_empty() && header("dead-service") == "reports");
        let (partition, offset) = (header("dead-partition").parse().unwrap(), header("dead-offset").parse().unwrap());
        if expected.len().is_multiple_of(1_000) {
            expect_original(&kafka, partition, stream::Offset(offset), &payload);
        }
    }
    assert!(expected.is_empty(), "{} letters are missing, such as {:?}", expected.len(), expected.first_key_value());
}

/// The coordinates lead to the original.
fn expect_original(kafka: &stream::Kafka, partition: i32, offset: stream::Offset, payload: &str) {
    let mut tail = Tail::open(kafka, "installs", Start::At(vec![(partition, offset)]), Until::Ends).unwrap();
    let original = tail.next(Duration::from_secs(20)).unwrap().unwrap();
    assert_eq!((original.offset, original.payload.as_deref()), (offset, Some(payload.as_bytes())));
}
