//! The three stages: remember the touches, decide the installs, record the decisions.

use std::time::Duration;

use event::topic;
use ledger::{Index, Ledger, Partitions, Redis, Registry};
use service::{Running, Service};
use stream::{BatchLimits, Kafka, Publisher, Stage, Watermarks};

use crate::apps::Apps;
use crate::commits::Counted;
use crate::config::Config;
use crate::decider::Decider;
use crate::ends::Log;
use crate::hold::{Clock, Hold};
use crate::lookups::{Fetch, Lookups};
use crate::recent::Recent;
use crate::record::record;
use crate::remember::remember;

/// The full names of the stages whose keys another one reads.
const REMEMBER: &str = "attribution.remember";
const RECORD: &str = "attribution.record";

/// What every stage is opened with.
#[derive(Clone)]
struct Backbone {
    kafka: Kafka,
    redis: Redis,
    limits: BatchLimits,
    apps: Apps,
}

/// Starts the three stages and the watch on the apps file.
pub fn start(service: &mut Service, mut config: Config) -> anyhow::Result<()> {
    config.check().map_err(service::bad_configuration)?;
    config.kafka.instance.get_or_insert_with(|| service.instance());
    let apps = Apps::open(&config.apps.file).map_err(|error| service::bad_configuration(format!("{error:#}")))?;
    let Config { kafka, redis, batch: limits, dedupe, hold, .. } = config;
    let partitions = service.handle().block_on(async {
        let registry = Registry::open(&redis, "attribution").await?;
        Partitions::open(&kafka, (&registry, redis.generation), &topic::ALIGNED).await
    })?;
    let count = partitions.count();

    let watched = apps.clone();
    service.task("apps", |shutdown| watched.watch(shutdown));
    service.task("partitions", |shutdown| partitions.watch(shutdown.cancelled_owned()));
    let backbone = Backbone { kafka, redis, limits, apps };
    let (to_remember, to_record) = (backbone.clone(), backbone.clone());
    service.stage("remember", move |name, running| run_remember(name, &running, to_remember, dedupe.keep));
    service.stage("decide", move |name, running| run_decide(name, running, backbone, (hold, count)));
    service.stage("record", move |name, running| run_record(name, &running, &to_record));
    Ok(())
}

fn run_remember(name: &str, running: &Running, backbone: Backbone, keep: Duration) -> anyhow::Result<()> {
    let Backbone { kafka, redis, limits, apps } = backbone;
    let ledger = Ledger::open(&redis, name, topic::ACTIVITY)?;
    let handler = move |batch: &mut stream::Batch<'_>| remember(batch, &apps.rules(), keep);
    let stage = Stage::open(&kafka, name, topic::ACTIVITY, ledger, handler)?.limits(&limits);
    Ok(stage.run(|trouble| running.turn(trouble))?)
}

fn run_decide(
    name: &str,
    running: Running,
    backbone: Backbone,
    (hold, partitions): (Duration, usize),
) -> anyhow::Result<()> {
    let Backbone { kafka, redis, limits, apps } = backbone;
    let waiting = running.clone();
    let watermarks = Watermarks::open(&kafka)?;
    let lookups = Lookups {
        hold: Hold::new(hold, Clock::system(), move |trouble| waiting.turn(trouble)),
        log: Log::new(move |topic| watermarks.ends(topic), partitions),
        remembered: fetching(Index::open(&redis, REMEMBER, topic::ACTIVITY)?),
        recorded: fetching(Index::open(&redis, RECORD, topic::INSTALLS)?),
        ends: None,
    };
    let publisher = Counted::new(Publisher::open(&kafka, name, &[topic::INSTALLS, topic::EVENTS])?);
    let mut decider = Decider { lookups, recent: Recent::default(), commits: publisher.commits(), apps };
    let handler = move |batch: &mut stream::Batch<'_>| decider.handle(batch);
    let stage = Stage::open(&kafka, name, topic::ACTIVITY, publisher, handler)?.limits(&limits).hold(hold);
    Ok(stage.run(|trouble| running.turn(trouble))?)
}

fn fetching(mut index: Index) -> Fetch {
    Box::new(move |partitions, asks| index.fetch(partitions, asks))
}

fn run_record(name: &str, running: &Running, backbone: &Backbone) -> anyhow::Result<()> {
    let Backbone { kafka, redis, limits, .. } = backbone;
    let ledger = Ledger::open(redis, name, topic::INSTALLS)?;
    let stage = Stage::open(kafka, name, topic::INSTALLS, ledger, record)?.limits(limits).keeps(kafka, Duration::MAX);
    Ok(stage.run(|trouble| running.turn(trouble))?)
}
