//! The life of a process: flags, configuration, logs, health, work, signals, exit code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::admin::{self, Admin};
use crate::exit;
use crate::health::Health;
use crate::layers::Layers;
use crate::service::Service;
use crate::settings::{Log, Settings};
use crate::signals::Signals;
use crate::{print, telemetry};

/// What `/readyz` says until everything is open.
const STARTING: &str = "start";

/// What the shell must know of the service it runs.
#[derive(Clone)]
pub struct Shell {
    pub name: &'static str,
    pub version: &'static str,
    pub admin_port: u16,
    /// The exit code that a foreign error asks for.
    pub exit_code: fn(&anyhow::Error) -> Option<u8>,
}

/// Configuration comes from defaults, a file, ATTRIBUTARY__SECTION__KEY in the environment, and --set, in this order.
#[derive(Parser)]
struct Flags {
    /// The configuration file; /etc/attributary/config/<service>.toml is read if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key, such as kafka.brokers=127.0.0.1:9092.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Prints each value with its origin, and ends.
    #[arg(long)]
    print_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Asks the running service whether it is ready; for containers without curl.
    Healthcheck,
}

/// Runs a service to its end. `start` opens stages, tasks and doors; the first error among them stops the service.
pub fn run<C>(shell: Shell, start: impl FnOnce(&mut Service, C) -> Result<()>) -> ExitCode
where
    C: Default + Serialize + DeserializeOwned,
{
    let command = <Flags as clap::CommandFactory>::command().name(shell.name).version(shell.version);
    let flags = match <Flags as clap::FromArgMatches>::from_arg_matches(&command.get_matches()) {
        Ok(flags) => flags,
        Err(error) => error.exit(),
    };
    let foreign = shell.exit_code;
    match configure::<C>(&shell, &flags) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some((settings, config))) => match live(shell, &settings, |service| start(service, config)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => exit::report(&error, foreign),
        },
        Err(error) => {
            // The configuration of the logs is part of what went wrong: the defaults must do.
            if let Err(error) = telemetry::start_logs(&Log::default()) {
                eprintln!("{error:#}");
            }
            exit::report(&error, foreign)
        }
    }
}

/// Reads the layers and starts the logs. None: the flags asked for something else, and that is done.
fn configure<C: Default + Serialize + DeserializeOwned>(shell: &Shell, flags: &Flags) -> Result<Option<(Settings, C)>> {
    let mut layers = Layers::of_defaults(&C::default())?;
    layers.add_defaults(&Settings::with_admin_port(shell.admin_port))?;
    let usual = format!("/etc/attributary/config/{}.toml", shell.name);
    layers.add_file(flags.config.as_deref(), Path::new(&usual))?;
    layers.add_environment(std::env::vars())?;
    for (key, value) in &flags.set {
        layers.set(key, value, "--set")?;
    }
    if flags.print_config {
        print::print(&layers);
        return Ok(None);
    }
    let settings: Settings = layers.take(&["admin", "log", "shutdown"])?;
    if matches!(flags.command, Some(Command::Healthcheck)) {
        return crate::probe::healthcheck(settings.admin.listen).map(|()| None);
    }
    let config = layers.rest()?;
    telemetry::start_logs(&settings.log)?;
    Ok(Some((settings, config)))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE, such as kafka.brokers=host:9092")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn live(shell: Shell, settings: &Settings, start: impl FnOnce(&mut Service) -> Result<()>) -> Result<()> {
    let metrics = telemetry::start_metrics()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("runtime")?;
    let (ended, mut endings) = mpsc::unbounded_channel();
    let mut service = Service {
        name: shell.name,
        admin: settings.admin.listen,
        handle: runtime.handle().clone(),
        health: Health::default(),
        shutdown: CancellationToken::new(),
        tasks: TaskTracker::new(),
        ended,
    };
    info!(service = shell.name, version = shell.version, "starting");
    // A start may wait long for a server: a signal must end that well, too, and nobody may take it for ready.
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    service.health.note(STARTING, Some("not everything is open"));
    let admin = Admin { shell, health: service.health.clone(), metrics };
    service.serve("admin", settings.admin.listen, admin::router(admin))?;
    let started = start(&mut service);
    service.health.forget(STARTING);
    let (shutdown, tasks) = (service.shutdown.clone(), service.tasks.clone());
    drop(service);
    let outcome = runtime.block_on(async {
        let outcome = until_stopped(started, &mut signals, &mut endings).await;
        info!("stopping");
        shutdown.cancel();
        finish(tasks, &mut signals, settings.shutdown.grace).await;
        std::iter::from_fn(|| endings.try_recv().ok()).fold(outcome, Result::and)
    });
    // What is still stuck after the grace must not keep the process: nothing that is not stored counts as done.
    runtime.shutdown_background();
    outcome
}

/// Waits for a signal or the first error. Stages may run when a later step of the start fails, and must end like any.
async fn until_stopped(
    started: Result<()>,
    signals: &mut Signals,
    endings: &mut mpsc::UnboundedReceiver<Result<()>>,
) -> Result<()> {
    started?;
    tokio::select! {
        () = signals.received() => Ok(()),
        outcome = first_error(endings) => outcome,
    }
}

/// Waits for everything to end, for as long as the grace or until a second signal.
async fn finish(tasks: TaskTracker, signals: &mut Signals, grace: Duration) {
    tasks.close();
    tokio::select! {
        () = tasks.wait() => {}
        () = tokio::time::sleep(grace) => warn!(?grace, "some work did not end in time (shutdown.grace); it will be repeated"),
        () = signals.received() => warn!("second signal"),
    }
}

/// The first error, or the end of everything.
async fn first_error(endings: &mut mpsc::UnboundedReceiver<Result<()>>) -> Result<()> {
    while let Some(ending) = endings.recv().await {
        ending?;
    }
    Ok(())
}
