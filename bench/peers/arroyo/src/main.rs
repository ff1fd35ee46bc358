//! A strategy of `sentry_arroyo` that counts in memory and writes to Redis before it lets the offsets be committed. The
//! prefetch, the batches and the parse are those of `reports`.

mod counting;

use std::collections::HashMap;
use std::env::var;
use std::error::Error;

use sentry_arroyo::backends::kafka::InitialOffset;
use sentry_arroyo::backends::kafka::config::KafkaConfig;
use sentry_arroyo::processing::StreamProcessor;
use sentry_arroyo::types::Topic;

use crate::counting::Factory;

fn main() -> Result<(), Box<dyn Error>> {
    let settings = [
        ("fetch.queue.backoff.ms", "5"),
        ("queued.max.messages.kbytes", "16384"),
        ("fetch.message.max.bytes", "4194304"),
        ("statistics.interval.ms", "0"),
    ];
    let config = KafkaConfig::new_consumer_config(
        vec![var("PEER_BROKERS")?],
        var("PEER_GROUP")?,
        InitialOffset::Earliest,
        false,
        300_000,
        Some(HashMap::from(settings.map(|(key, value)| (key.to_owned(), value.to_owned())))),
    );
    let factory = Factory { total: var("PEER_RECORDS")?.parse()?, redis_port: var("PEER_REDIS_PORT")?.parse()? };
    StreamProcessor::with_kafka(config, factory, Topic::new(&var("PEER_TOPIC")?), None).run()?;
    Ok(())
}
