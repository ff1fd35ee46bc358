//! `attributary verify`: compares what the services counted with what had to be counted.

mod compare;
mod deliveries;
mod stats;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::Url;
use tokio::time::Instant;

use crate::connect::{KafkaArgs, http_client};
use crate::output::{Output, say, table};
use crate::signals;
use crate::simulate::Truth;
use compare::compare;

pub(crate) use compare::Difference;
pub(crate) use stats::{Counted, Stats};

/// Compares the counts of `GET /v1/stats` with the truth of a simulation, over every dimension.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  attributary verify --truth truth.json
  attributary verify --truth truth.json --wait 120s --reports http://127.0.0.1:8081
  attributary verify --truth truth.json --deliveries -o json

Exit codes: 0 everything is equal, 1 it is not.")]
pub(crate) struct VerifyArgs {
    /// The file that `simulate --truth` wrote.
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// The URL of reports.
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    reports: Url,
    /// How long to wait until everything is equal.
    #[arg(long, default_value = "60s", value_parser = humantime_serde::re::humantime::parse_duration)]
    wait: Duration,
    /// Also counts the deliveries of each rule in topic `postbacks`.
    #[arg(long)]
    deliveries: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// The groupings that are compared: together they hold every dimension, alone and beside others.
const GROUPINGS: [&[&str]; 4] = [
    &["day", "media_source", "campaign", "country"],
    &["day", "media_source", "platform", "event_name"],
    &["country", "platform"],
    &[],
];
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: VerifyArgs, output: Output) -> anyhow::Result<()> {
    let truth = Truth::read(&args.truth)?;
    if truth.rows.is_empty() {
        bail!("{} expects nothing: there is nothing to compare", args.truth.display());
    }
    let stop = signals::stop_on_signal()?;
    let stats = Stats { client: http_client()?, base: args.reports.clone() };
    let deadline = Instant::now() + args.wait;
    say(format!("comparing {} apps with {}", truth.apps.len(), args.reports));
    loop {
        let outcome = all_differences(&truth, &stats, &args).await;
        if matches!(&outcome, Ok(found) if found.is_empty()) {
            say("everything is equal");
            return report(&[], output);
        }
        if Instant::now() > deadline || stop.is_cancelled() {
            let found = outcome?;
            report(&found, output)?;
            bail!("{} differences after {}", found.len(), humantime_serde::re::humantime::format_duration(args.wait));
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn all_differences(truth: &Truth, stats: &Stats, args: &VerifyArgs) -> anyhow::Result<Vec<Difference>> {
    let mut found = differences(truth, stats).await?;
    if args.deliveries {
        let (kafka, truth) = (args.kafka.settings()?, truth.clone());
        found.extend(tokio::task::spawn_blocking(move || deliveries::compare(&kafka, &truth)).await??);
    }
    Ok(found)
}

/// Every number of reports that is not what the truth says.
pub(crate) async fn differences(truth: &Truth, stats: &Stats) -> anyhow::Result<Vec<Difference>> {
    let mut found = Vec::new();
    for app in &truth.apps {
        for grouping in GROUPINGS {
            let rows =
                stats.ask(truth, app, grouping).await.with_context(|| format!("asking for the counts of {app}"))?;
            found.extend(compare(truth, app, grouping, &rows));
        }
    }
    Ok(found)
}

fn report(found: &[Difference], output: Output) -> anyhow::Result<()> {
    let Output::Table = output else { return output.json(&found) };
    if found.is_empty() {
        return Ok(());
    }
    let rows = found.iter().map(|difference| {
        [&difference.app, &difference.dimensions, &difference.metric, &difference.expected, &difference.found]
            .map(String::clone)
    });
    output.rows(&table(["app", "dimensions", "metric", "expected", "found"], rows))
}
