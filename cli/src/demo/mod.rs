//! `attributary demo`: everything at once on this machine, and a view of what happens.

mod child;
mod folder;
mod ports;
mod receiver;
mod rules;
mod servers;
mod world;

mod frame;
mod look;
mod show;
mod summary;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::output::{Output, say};
use crate::signals::Signals;
use child::Children;
use world::World;

/// Starts Kafka, Redis, every service and a traffic simulator, and shows what happens. Ctrl-C leaves nothing behind.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  attributary demo
  attributary demo --rate 500
  attributary demo --memory                       without Java: a small broker in this process
  attributary demo --kafka broker:9092 --redis redis://cache:6379/0
  attributary demo --for 60s                      ends by itself; exit 1 if nothing was counted or delivered")]
pub(crate) struct DemoArgs {
    /// Uses a broker inside this process instead of a real Kafka: small, and it proves no guarantee.
    #[arg(long, conflicts_with = "kafka")]
    memory: bool,
    /// Uses a Kafka that is there already; topics are made in it.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Uses a Redis that is there already.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Messages a second.
    #[arg(long, default_value_t = 60.0, value_parser = positive)]
    rate: f64,
    /// How many apps there are.
    #[arg(long, default_value_t = 3)]
    apps: u32,
    /// Sends for this long, waits until everything is counted, and ends with a summary.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime_serde::re::humantime::parse_duration)]
    length: Option<Duration>,
    /// The folder `deploy` of the repository; found by itself where the demo is run from it.
    #[arg(long, value_name = "FOLDER")]
    deploy: Option<PathBuf>,
}

pub(crate) async fn run(args: DemoArgs, output: Output) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    let folder = tempfile::Builder::new().prefix("attributary-demo-").tempdir().context("making a folder")?;
    let mut children = Children::new(signals.hurry.clone());
    let outcome = live(&args, (folder.path(), &signals, output), &mut children).await;
    children.stop().await;
    folder.close().context("removing the demo's folder")?;
    say("everything that the demo started is gone");
    outcome
}

async fn live(
    args: &DemoArgs,
    (folder, signals, output): (&std::path::Path, &Signals, Output),
    children: &mut Children,
) -> anyhow::Result<()> {
    let started = tokio::select! {
        started = World::start(args, folder, children) => Some(started?),
        () = signals.stop.cancelled() => None,
    };
    let Some(world) = started else { return Ok(()) };
    show::show(args, (&world, output), signals, children).await
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 => Ok(rate),
        _ => Err("a rate is a number above 0".into()),
    }
}
