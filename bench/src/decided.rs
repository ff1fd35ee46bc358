//! `attribution`, as it ships, until its three stages have remembered, decided and recorded everything.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use event::{Install, topic};
use rdkafka::Message as _;
use rdkafka::error::KafkaError;

use crate::child::on_core;
use crate::consume;
use crate::contender::{Cost, Watch};
use crate::service::Running;
use crate::truth::Truth;
use crate::world::{self, PARTITIONS, World, binary, pause};

pub(crate) const ATTRIBUTION: &str = "attribution";
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn read(truth: &Truth, round: u64, watch: &Watch<'_>) -> anyhow::Result<Cost> {
    let world = watch.world;
    let mut command = on_core(world.core, binary(ATTRIBUTION)?);
    command.env("ATTRIBUTARY__KAFKA__GROUP", format!("bench-{ATTRIBUTION}-{round}"));
    command.env("ATTRIBUTARY__APPS__FILE", world.folder().join("no-apps.toml"));
    let mut running = Running::start(ATTRIBUTION, command, (world, round))?;
    running.get_ready(watch)?;
    // `record` has them all only when `decide` has committed its last transaction.
    let installs = truth.earned.values().sum();
    for (stage, topic, records) in [("remember", topic::ACTIVITY, truth.records), ("record", topic::INSTALLS, installs)]
    {
        let stage = format!("{ATTRIBUTION}.{stage}.{}:{topic}", round + 1);
        while taken(world.redis_port, &stage)? < records {
            running.child.check()?;
            pause(&world.stop, watch.deadline())?;
        }
    }
    let cost = watch.cost(&running.child)?;
    if running.recoveries()? > 0.0 {
        println!("{ATTRIBUTION} began anew {} times", running.recoveries()?);
    }
    check(world, truth)?;
    Ok(cost)
}

/// How many records a stage has stored.
fn taken(port: u16, stage: &str) -> anyhow::Result<u64> {
    let mut redis = world::redis(port)?;
    let mut taken = 0;
    for partition in 0..PARTITIONS {
        let key = format!("{{{stage}:{partition}}}:balance");
        taken += redis::cmd("HGET").arg(key).arg("taken").query::<Option<u64>>(&mut redis)?.unwrap_or_default();
    }
    Ok(taken)
}

/// Whether `installs` has each install once, with the source of its last click.
fn check(world: &World, truth: &Truth) -> anyhow::Result<()> {
    let consumer = consume::until_the_end(&world.brokers())?;
    consume::from_the_beginning(&consumer, topic::INSTALLS)?;
    let (mut earned, mut ids, mut ended) = (BTreeMap::<String, u64>::new(), HashSet::new(), HashSet::new());
    while ended.len() < PARTITIONS {
        match consumer.poll(PATIENCE) {
            Some(Ok(message)) => {
                let install: Install<'_> =
                    serde_json::from_slice(message.payload().unwrap_or_default()).context("reading a decision")?;
                ensure!(ids.insert(install.event_id.as_str().to_owned()), "{} was decided twice", install.event_id);
                *earned.entry(install.current().media_source.as_str().to_owned()).or_default() += 1;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            Some(Err(error)) => consume::forgive(error)?,
            None => bail!("the end of installs does not come"),
        }
    }
    ensure!(earned == truth.earned, "wrong count: {:?} was earned, but {earned:?} was decided", truth.earned);
    Ok(())
}
