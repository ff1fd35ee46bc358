//! Records beside one that is larger than its topic allows: a broker refuses their batch whole.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use event::topic;
use stream::{Delivery, Outgoing, Producer};
use testkit::Suite;

/// Bytes that no compression makes smaller.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed * 2 + 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| byte()).collect()
}

#[test]
fn only_the_record_that_is_too_large_by_itself_is_refused() {
    let suite = Suite::start();
    suite.kafka.set_topic(topic::ACTIVITY, &[("max.message.bytes", "20000")]);
    let producer = Producer::open(&suite.kafka.config(), "oversized").unwrap();
    // One partition, so that they share batches; the small ones together are too large as well.
    let record = |number: u64| {
        let length = if number == 7 { 50_000 } else { 1_000 };
        Outgoing::to(topic::ACTIVITY, noise(length, number)).partition(0).key("k").header("number", number.to_string())
    };
    let records: Vec<Outgoing> = (0..100).map(record).collect();
    let deliveries = producer.send_blocking(records.clone());
    for (number, delivery) in deliveries.iter().enumerate() {
        match delivery {
            Delivery::TooLarge(_) => assert_eq!(number, 7),
            Delivery::Stored { partition: 0, .. } => assert_ne!(number, 7),
            other => panic!("{number}: {other:?}"),
        }
    }
    let mut stored: Vec<(Vec<u8>, String)> = e2e::read(&suite.kafka.config(), topic::ACTIVITY)
        .into_iter()
        .map(|record| (record.payload.clone().unwrap(), e2e::header(&record, "number")))
        .collect();
    stored.sort_by_key(|(_, number)| number.parse::<u64>().unwrap());
    let sent = records.into_iter().enumerate().filter(|(number, _)| *number != 7);
    let sent: Vec<(Vec<u8>, String)> = sent.map(|(number, record)| (record.payload, number.to_string())).collect();
    assert!(stored == sent, "each is stored once, as it was sent: {} of {}", stored.len(), sent.len());
}
