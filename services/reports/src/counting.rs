//! A stage that counts one topic, and the same for its letters that were let in again.

use std::time::Duration;

use ledger::Effects;
use service::Running;
use stream::{Kafka, Sink, Stage, Watermarks};

use crate::config::Config;
use crate::count::Handler;

/// How often it is looked whether anything was ever redriven.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How soon a stop is noticed meanwhile.
const TURN: Duration = Duration::from_millis(200);

/// Counts `topic` into the place of the stage `name` until the service stops.
pub(crate) fn run<S: Sink<Output = Effects>>(
    (name, topic, count): (&str, &str, Handler),
    open: impl FnOnce() -> stream::Result<S>,
    (config, running): (&Config, Running),
) -> anyhow::Result<()> {
    if name.ends_with("-redrive") && !wait_for(topic, &config.kafka, &running)? {
        return Ok(());
    }
    let place = open()?;
    let settings = config.reports.clone();
    let keep = settings.keep;
    let stage = Stage::open(&config.kafka, name, topic, place, move |batch| count(batch, &settings))?;
    Ok(stage.keeps(&config.kafka, keep).limits(&config.batch).run(|trouble| running.turn(trouble))?)
}

/// Waits until the first letter is redriven, which makes the topic. False: the service stops.
fn wait_for(topic: &str, kafka: &Kafka, running: &Running) -> anyhow::Result<bool> {
    let log = Watermarks::open(kafka)?;
    while running.turn(None) {
        // A broker that is away is the other stages' trouble.
        if log.exists(topic).unwrap_or(false) {
            return Ok(true);
        }
        for _ in 0..LOOK_EVERY.as_millis() / TURN.as_millis() {
            if !running.goes_on() {
                break;
            }
            std::thread::sleep(TURN);
        }
    }
    Ok(false)
}
