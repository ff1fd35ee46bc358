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
    let producer = Loader::open(world, topic::INSTALLS)?;
    let (draw, mut rng) = (Draw::new(&options.shape), StdRng::seed_from_u64(seed));
    let mut truth = Truth::of(topic::INSTALLS);
    for number in 0..events {
        let install = draw.install(&mut rng, (number, events));
        let (json, form) = draw.record(&install, &mut rng);
        producer.send(&format!("device-{number}"), &json)?;
        truth.count(&install, json.len(), form);
        if number % 10_000 == 0 {
            world.stop.check()?;
        }
        if number % (events / 10).max(1) == 0 {
            println!("loading: {} %", number * 100 / events);
        }
    }
    truth.disk_bytes = producer.finish(world, events)?;
    let (bytes, malformed, counters) = (truth.bytes / events, truth.malformed, truth.counters());
    println!("loaded: {bytes} bytes a record, {malformed} malformed, {counters} distinct counters");
    Ok(truth)
}

/// Fills one topic.
pub(crate) struct Loader {
    producer: BaseProducer,
    topic: &'static str,
}

impl Loader {
    /// With the batching and the codec of the suite's own producers.
    pub(crate) fn open(world: &World, topic: &'static str) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", world.brokers());
        for (key, value) in [
            ("enable.idempotence", "true"),
            ("linger.ms", "5"),
            ("compression.type", "lz4"),
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.kbytes", "65536"),
        ] {
            config.set(key, value);
        }
        Ok(Self { producer: config.create().context("making a producer")?, topic })
    }

    pub(crate) fn send(&self, key: &str, json: &str) -> anyhow::Result<()> {
        let mut record = BaseRecord::to(self.topic).key(key).payload(json);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(20));
                    record = back;
                }
                Err((error, _)) => return Err(error).context("producing"),
            }
        }
    }

    /// Waits until Kafka has them all, and says what they take on its disk.
    pub(crate) fn finish(self, world: &World, records: u64) -> anyhow::Result<u64> {
        self.producer.flush(PATIENCE).context("waiting until Kafka has all records")?;
        let ends = consume::ends(&consume::consumer(&world.brokers())?, self.topic)?;
        let stored: i64 = ends.iter().map(|(_, end)| end).sum();
        ensure!(stored == records.cast_signed(), "{records} records were produced, but Kafka holds {stored}");
        world.disk_bytes(self.topic)
    }
}
