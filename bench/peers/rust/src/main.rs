//! What one writes first: the stream of the client library, a tree of JSON, a command an event.

use std::env::var;
use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::{ClientConfig, Message};
use redis::Pipeline;
use redis::aio::MultiplexedConnection;
use serde_json::Value;

/// Commands in a pipeline, where there is one.
const BATCH: usize = 10_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let batch = if std::env::args().nth(1).as_deref() == Some("pipelined") { BATCH } else { 1 };
    let total: usize = var("PEER_RECORDS")?.parse()?;
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", var("PEER_BROKERS")?)
        .set("group.id", var("PEER_GROUP")?)
        .set("auto.offset.reset", "earliest")
        .create()?;
    consumer.subscribe(&[&var("PEER_TOPIC")?])?;
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", var("PEER_REDIS_PORT")?))?;
    let mut redis = client.get_multiplexed_async_connection().await?;
    let mut seen = 0;
    let mut commands = redis::pipe();
    while total == 0 && consumer.assignment()?.count() == 0 {
        let _nothing = tokio::time::timeout(Duration::from_millis(100), consumer.recv()).await;
    }
    while seen < total {
        let message = consumer.recv().await?;
        seen += 1;
        if let Some((key, field)) = counter(message.payload().unwrap_or_default()) {
            commands.hincr(key, field, 1).ignore();
        }
        if commands.len() >= batch || seen == total {
            write(&mut commands, &mut redis).await?;
        }
    }
    if total > 0 {
        consumer.commit_consumer_state(CommitMode::Sync)?;
    }
    println!("done {seen}");
    std::io::stdin().read_to_end(&mut Vec::new()).context("waiting")?;
    Ok(())
}

async fn write(commands: &mut Pipeline, redis: &mut MultiplexedConnection) -> Result<()> {
    if commands.is_empty() {
        return Ok(());
    }
    let () = commands.query_async(redis).await?;
    commands.clear();
    Ok(())
}

/// Key and field of what a record raises; none if it is malformed.
fn counter(payload: &[u8]) -> Option<(String, String)> {
    let install: Value = serde_json::from_slice(payload).ok()?;
    let app = install["app_id"].as_str()?;
    let day = install["event_time"].as_str()?.get(..10)?;
    let source = install["attribution"]["media_source"].as_str().unwrap_or("organic");
    let country = install["country"].as_str().unwrap_or_default();
    Some((format!("installs:{app}:{day}"), format!("{source}|{country}")))
}
