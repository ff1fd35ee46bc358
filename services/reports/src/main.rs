//! Counts installs, events, revenue, clicks and impressions exactly once, and answers questions about them.

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
use ledger::Reader;
use service::Shell;

use crate::config::Config;
use crate::doors::Doors;

const SHELL: Shell =
    Shell { name: "reports", version: env!("CARGO_PKG_VERSION"), admin_port: 9102, exit_code: stream::exit_code };

fn main() -> ExitCode {
    service::run(SHELL, |service, config: Config| {
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
                readers.push((topic.clone(), reader));
                let config = config.clone();
                service.stage(&stage, move |name, running| counting::run(name, &topic, count, (&config, running)));
            }
        }
        service.http(config.http.listen, Doors::new(readers).router())
    })
}
