//! A service for one row of the matrix: it counts the records of topic `panicking` once each, and panics at those that are
//! marked.

use std::process::ExitCode;

use ledger::{Effects, Ledger};
use serde::{Deserialize, Serialize};
use service::Shell;
use stream::{Batch, Record, Stage};

const TOPIC: &str = "panicking";
const SHELL: Shell =
    Shell { name: "panicking", version: env!("CARGO_PKG_VERSION"), admin_port: 9199, exit_code: stream::exit_code };

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    kafka: stream::Kafka,
    redis: ledger::Redis,
}

#[derive(Deserialize)]
struct Marked {
    panics: bool,
}

fn main() -> ExitCode {
    service::run(SHELL, |service, Config { kafka, redis }| {
        service.stage("records", move |name, running| {
            let ledger = Ledger::open(&redis, name, TOPIC)?;
            let stage = Stage::open(&kafka, name, TOPIC, ledger, count)?;
            Ok(stage.run(|trouble| running.turn(trouble))?)
        });
        Ok(())
    })
}

fn count(batch: &mut Batch<'_>) -> anyhow::Result<Effects> {
    let mut effects = Effects::default();
    for Record { value: Marked { panics }, .. } in batch.decode::<Marked>() {
        assert!(!panics, "this record is marked");
        effects.add("records", "all", 1);
    }
    Ok(effects)
}
