//! Counts installs, events, revenue, clicks and impressions, and answers questions about them.
//!
//! The place of the counters is an argument. What the service promises, *exactly once*, is the promise of the ledger:
//! `reports::run(Ledger::open)` is the whole of `main`.

mod config;

mod counting;

mod count;
mod tally;

mod answer;
mod doors;
mod export;
mod query;

mod dimension;

use std::process::ExitCode;

use event::topic;
use ledger::{Effects, Reader, Redis};
use service::Shell;
use stream::{Sink, Watermarks};

use crate::config::Config;
use crate::doors::Doors;

pub use config::Reports;
pub use count::installs;

const SHELL: Shell =
    Shell { name: "reports", version: env!("CARGO_PKG_VERSION"), admin_port: 9102, exit_code: stream::exit_code };

/// Opens the place of one stage's counters: the Redis to use, the name of the ledger, and the topic that is counted.
pub type Open<S> = fn(&Redis, &str, &str) -> stream::Result<S>;

/// Runs the service to its end.
pub fn run<S: Sink<Output = Effects>>(open: Open<S>) -> ExitCode {
    service::run(SHELL, move |service, config: Config| {
        let log = Watermarks::open(&config.kafka)?;
        let mut readers = Vec::new();
        for (name, topic, count) in [
            ("installs", topic::INSTALLS, count::installs as count::Handler),
            ("events", topic::EVENTS, count::events),
            ("activity", topic::ACTIVITY, count::touches),
        ] {
            let redriven = (format!("{name}-redrive"), stream::redrive_topic(topic, SHELL.name));
            for (stage, topic) in [(name.to_owned(), topic.to_owned()), redriven] {
                let ledger = format!("{}.{stage}", SHELL.name);
                let reader = service.handle().block_on(Reader::open(&config.redis, &ledger, &topic))?;
                let partitions = if stage == name { log.partitions(&topic)? } else { Vec::new() };
                readers.push((topic.clone(), reader.expecting(partitions)));
                let config = config.clone();
                service.stage(&stage, move |name, running| {
                    let place = || open(&config.redis, name, &topic);
                    counting::run((name, &topic, count), place, (&config, running))
                });
            }
        }
        service.http(config.http.listen, Doors::new(readers).router())
    })
}
