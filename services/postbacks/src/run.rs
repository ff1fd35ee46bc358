//! The service put together: rules that reload, two stages that schedule, one courier that delivers.

use anyhow::Result;
use event::topic::{EVENTS, INSTALLS, POSTBACKS};
use ledger::{Partitions, Queue, Registry};
use service::Service;
use stream::Stage;

use crate::config::Config;
use crate::courier::{Courier, Depot};
use crate::live::Watcher;
use crate::rules::Topic;
use crate::scheduling::{Place, TOLD_AGAIN};

/// Opens everything that the service is made of.
pub fn start(service: &mut Service, config: Config) -> Result<()> {
    config.check().map_err(service::bad_configuration)?;
    let runtime = service.handle();
    let registry = runtime.block_on(Registry::open(&config.redis, "postbacks"))?;
    let partitions =
        Partitions::open(&config.kafka, (&registry, config.redis.generation), &[INSTALLS, EVENTS, POSTBACKS]);
    let partitions = runtime.block_on(partitions)?;
    let guard = config.postbacks.guard();
    let watcher = runtime.block_on(Watcher::open(config.postbacks.rules.clone(), guard.clone(), registry))?;
    let mut depots = Vec::new();
    for topic in [Topic::Installs, Topic::Events] {
        let name = format!("postbacks.{}", topic.as_str());
        let place = Place::open(&config, &name, topic)?;
        let handler = place.handler(topic, watcher.subscribe());
        let stage = Stage::open(&config.kafka, &name, topic.as_str(), place, handler)?
            .limits(&config.batch)
            .keeps(&config.kafka, TOLD_AGAIN);
        let queue = runtime.block_on(Queue::open(&config.redis, &name, topic.as_str()))?;
        depots.push(Depot { queue, assignment: stage.assignment() });
        service.stage(topic.as_str(), move |_, running| Ok(stage.run(|trouble| running.turn(trouble))?));
    }
    let courier = Courier::open(&config.kafka, depots, guard, watcher.subscribe())?;
    service.task("courier", |shutdown| courier.run(shutdown));
    service.task("rules", |shutdown| watcher.run(shutdown));
    service.task("partitions", |shutdown| partitions.watch(shutdown.cancelled_owned()));
    Ok(())
}
