//! Sends a click and an install through the whole suite, once a minute, and measures how long they take.

mod canary;
mod config;
mod doors;
mod watch;

use std::process::ExitCode;

use service::Shell;

use crate::config::Config;
use crate::doors::Doors;

const SHELL: Shell =
    Shell { name: "canary", version: env!("CARGO_PKG_VERSION"), admin_port: 9105, exit_code: stream::exit_code };

fn main() -> ExitCode {
    service::run(SHELL, |service, Config { kafka, canary }| {
        let doors = Doors::open(&canary, service.handle())?;
        service.stage("flight", move |_, running| watch::run(&kafka, &canary, &doors, &running));
        Ok(())
    })
}
