//! Fills the topic, and remembers what it was filled with.

use std::time::Duration;

use anyhow::{Context, ensure};
use event::topic;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;

use crate::consume;
use crate::options::Options;
use crate::record::Draw;
use crate::truth::Truth;
use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(60);

/// Produces the installs, keyed so that they spread over all partitions.
pub(crate) fn load(world: &World, options: &Options) -> anyhow::Result<Truth> {
    let Options { events, seed, .. } = *options;
    let producer = producer(&world.brokers())?;
    let (draw, mut rng) = (Draw::new(&options.shape), StdRng::seed_from_u64(seed));
    let mut truth = Truth::default();
    for number in 0..events {
        let install = draw.install(&mut rng, (number, events));
        let (json, form) = draw.record(&install, &mut rng);
        send(&producer, &format!("device-{number}"), &json)?;
        truth.count(&install, json.len(), form);
        if number % 10_000 == 0 {
            producer.poll(Duration::ZERO);
            world.stop.check()?;
        }
        if number % (events / 10).max(1) == 0 {
            println!("loading: {} %", number * 100 / events);
        }
    }
    producer.flush(PATIENCE).context("waiting until Kafka has all records")?;
    let stored: i64 = consume::ends(&consume::consumer(&world.brokers())?)?.iter().map(|(_, end)| end).sum();
    ensure!(stored == events.cast_signed(), "{events} records were produced, but Kafka holds {stored}");
    let (bytes, malformed, counters) = (truth.bytes / events, truth.malformed, truth.counters());
    println!("loaded: {bytes} bytes a record, {malformed} malformed, {counters} distinct counters");
    Ok(truth)
}

/// With the batching and the codec of the suite's own producers.
fn producer(brokers: &str) -> anyhow::Result<BaseProducer> {
    let mut config = ClientConfig::new();
    for (key, value) in [
        ("bootstrap.servers", brokers),
        ("enable.idempotence", "true"),
        ("linger.ms", "5"),
        ("compression.type", "lz4"),
        ("partitioner", "murmur2_random"),
        ("queue.buffering.max.kbytes", "65536"),
    ] {
        config.set(key, value);
    }
    config.create().context("making a producer")
}

fn send(producer: &BaseProducer, key: &str, json: &str) -> anyhow::Result<()> {
    let mut record = BaseRecord::to(topic::INSTALLS).key(key).payload(json);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(Duration::from_millis(20));
                record = back;
            }
            Err((error, _)) => return Err(error).context("producing"),
        }
    }
}
