//! What the end-to-end tests share: records that are produced, and questions that are asked until the answer is right.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use stream::tail::{Start, Stored, Until};
use stream::{Delivery, Outgoing, Producer, Tail};
use testkit::{Suite, eventually_within};

/// Milliseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "a test is about now")]
pub fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Produces records and waits until Kafka has them all; answers where each stands, as `topic/partition/offset`.
pub fn produce(producer: &Producer, records: Vec<Outgoing>) -> Vec<String> {
    let topics: Vec<_> = records.iter().map(|record| record.topic.clone()).collect();
    let place = |(topic, delivery): (_, Delivery)| match delivery {
        Delivery::Stored { partition, offset } => format!("{topic}/{partition}/{offset}"),
        other => panic!("{topic}: {other:?}"),
    };
    topics.into_iter().zip(producer.send_blocking(records)).map(place).collect()
}

/// Every record that a topic holds now.
pub fn read(kafka: &stream::Kafka, topic: &str) -> Vec<Stored> {
    let tail = Tail::open(kafka, topic, Start::Everything, Until::Ends).unwrap();
    tail.records(Duration::from_secs(20)).map(Result::unwrap).collect()
}

/// The value of a record's header; it must have one, and only one, of this name.
pub fn header(record: &Stored, name: &str) -> String {
    let values: Vec<_> = record.headers.iter().filter(|(found, _)| found == name).collect();
    assert_eq!(values.len(), 1, "{name} of {record:?}");
    String::from_utf8(values[0].1.clone()).unwrap()
}

/// Totals of a metric by one dimension, over all apps and the days of the samples.
pub fn totals(suite: &Suite, reports: &str, metric: &str, dimension: &str) -> BTreeMap<String, i64> {
    let days = "from=2026-11-01&to=2027-11-30";
    let path = format!("/v1/stats?{days}&granularity=total&metrics={metric}&group_by={dimension}");
    let answer = suite.ask(reports, &path);
    let row = |row: &Value| (row[dimension].as_str().unwrap().to_owned(), row[metric].as_i64().unwrap());
    answer["rows"].as_array().unwrap().iter().map(row).collect()
}

/// Waits until the totals are exactly these, and then checks that they stay so.
pub fn expect_totals(suite: &Suite, (metric, dimension): (&str, &str), expected: &BTreeMap<String, i64>) {
    eventually_within(Duration::from_secs(120), "the totals are right", || {
        let found = totals(suite, "reports", metric, dimension);
        if found == *expected { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}")) }
    });
}
