//! The servers of a demo: Redis and Kafka, started here or there already.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use stream::admin::{Admin, Growth};
use stream::{Kafka, MemoryBroker};
use tokio::process::Command;

use crate::demo::child::{Children, Farewell};
use crate::demo::{DemoArgs, ports};
use crate::output::say;
use crate::topics::built_in_plan;

const PARTITIONS: i32 = 4;
const READY_WITHIN: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) fn start_redis(
    args: &DemoArgs,
    (place, deploy): (&Path, &Path),
    children: &mut Children,
) -> anyhow::Result<String> {
    if let Some(url) = &args.redis {
        return Ok(url.clone());
    }
    let address = ports::choose("Redis", 6379)?;
    let data = place.join("redis");
    std::fs::create_dir(&data).context("making the folder of Redis")?;
    let mut command = Command::new(deploy.join("redis-entrypoint.sh"));
    command.arg(deploy.join("redis.conf")).args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"]);
    command.arg("--dir").arg(&data);
    say(format!("starting Redis at {address}"));
    children.start("redis", command, (place, Farewell::Kill))?;
    Ok(format!("redis://{address}/0"))
}

pub(crate) async fn start_kafka(
    args: &DemoArgs,
    (place, deploy): (&Path, &Path),
    children: &mut Children,
) -> anyhow::Result<(String, Option<MemoryBroker>)> {
    if let Some(brokers) = &args.kafka {
        return Ok((brokers.clone(), None));
    }
    if args.memory {
        return memory_broker("as you wish");
    }
    if Command::new("java").arg("-version").output().await.is_err() {
        return memory_broker("there is no Java on this machine");
    }
    let script = deploy.join("kafka/kafka.sh");
    say("getting Kafka (its jars are fetched the first time)");
    let fetched =
        Command::new(&script).arg("fetch").stdout(std::process::Stdio::null()).kill_on_drop(true).status().await?;
    if !fetched.success() {
        bail!("the jars of Kafka could not be fetched; `attributary demo --memory` does without");
    }
    let address = ports::choose("Kafka", 9092)?;
    say(format!("starting Kafka at {address}"));
    let mut command = Command::new(script);
    command.args(["serve", "--port", &address.port().to_string(), "--dir"]).arg(place.join("kafka"));
    children.start("kafka", command, (place, Farewell::Kill))?;
    Ok((address.to_string(), None))
}

fn memory_broker(why: &str) -> anyhow::Result<(String, Option<MemoryBroker>)> {
    say(format!(
        "Kafka is a small broker inside this process ({why}): it keeps 5 MiB a partition, shows what transactions \
         took back, and forgets everything at the end. It shows how things flow, and proves no guarantee."
    ));
    let topics: Vec<String> = built_in_plan()?.topics.into_iter().map(|topic| topic.name).collect();
    let broker = MemoryBroker::start(&topics, PARTITIONS)?;
    Ok((broker.brokers(), Some(broker)))
}

pub(crate) async fn wait_for_redis(url: &str, children: &mut Children) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    let settings = ledger::Redis { url: url.to_owned(), ..ledger::Redis::default() };
    loop {
        children.check()?;
        let asked = settings.clone();
        match tokio::task::spawn_blocking(move || ledger::inspect(&asked)).await? {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Waits for Kafka by making the topics in it.
pub(crate) async fn apply_topics(kafka: &str, children: &mut Children) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        children.check()?;
        let settings = Kafka { brokers: kafka.to_owned(), ..Kafka::default() };
        let applied = tokio::task::spawn_blocking(move || -> anyhow::Result<()> {
            let mut plan = built_in_plan()?;
            plan.defaults.partitions = PARTITIONS;
            Admin::open(&settings)?.apply(&plan, Growth::Refused)?;
            Ok(())
        });
        match applied.await? {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
