//! Counts installs, events, revenue, clicks and impressions exactly once, and answers questions about them.

mod config;

mod count;
mod tally;

mod answer;
mod doors;
mod export;
mod query;

mod dimension;

use std::process::ExitCode;

use event::topic;
use ledger::{Ledger, Reader};
use service::Shell;
use stream::Stage;

use crate::config::Config;
use crate::doors::Doors;

const SHELL: Shell =
    Shell { name: "reports", version: env!("CARGO_PKG_VERSION"), admin_port: 9102, exit_code: stream::exit_code };

fn main() -> ExitCode {
    service::run(SHELL, |service, config: Config| {
        for (name, topic, count) in [
            ("installs", topic::INSTALLS, count::installs as count::Handler),
            ("events", topic::EVENTS, count::events),
            ("activity", topic::ACTIVITY, count::touches),
        ] {
            let config = config.clone();
            service.stage(name, move |name, running| {
                let ledger = Ledger::open(&config.redis, name, topic)?;
                let stage = Stage::open(&config.kafka, name, topic, ledger, |batch| count(batch, &config.reports))?;
                Ok(stage.limits(&config.batch).run(|trouble| running.turn(trouble))?)
            });
        }
        let reader = |stage, topic| service.handle().block_on(Reader::open(&config.redis, stage, topic));
        let doors = Doors {
            installs: reader("reports.installs", topic::INSTALLS)?,
            events: reader("reports.events", topic::EVENTS)?,
            activity: reader("reports.activity", topic::ACTIVITY)?,
        };
        service.http(config.http.listen, doors.router())
    })
}
