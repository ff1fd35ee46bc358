//! `attributary simulate`: traffic that is made up, and the truth of what must be counted of it.

mod deliveries;
mod engine;
mod fate;
mod http;
mod journey;
mod link;
mod market;
mod message;
mod patience;
mod story;
mod target;
mod truth;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use event::Time;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use deliveries::Deliveries;
pub use engine::{Outcome, Pace, Progress, Watch, play};
pub use http::HttpDoors;
pub use journey::{Content, Scenario, Shares};
pub use market::{SOURCES, apps};
pub use target::Target;
pub use truth::{Cell, Counts, Row, Truth, day};

use crate::clock::now;
use crate::connect::KafkaArgs;
use crate::output::{Output, say, table};
use crate::progress;
use crate::signals;

/// Makes traffic up: clicks, impressions, installs, sessions, purchases, refunds, duplicates, late events.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  attributary simulate --rate 200
  attributary simulate --count 100000 --rate 0 --isolate --truth truth.json
  attributary simulate --to kafka --count 50000 --rate 0
  attributary verify --truth truth.json --wait 120s

Exit codes: 0 everything is stored, 1 something was refused, 75 something was given up.")]
pub struct SimulateArgs {
    /// Messages a second; 0 sends as fast as they are taken.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// About how many messages to send; without it, it goes on until Ctrl-C.
    #[arg(long)]
    count: Option<u64>,
    /// How many apps there are.
    #[arg(long, default_value_t = 3)]
    apps: u32,
    /// Which share of the messages is sent twice, between 0 and 1.
    #[arg(long, default_value_t = 0.02, value_parser = share)]
    duplicates: f64,
    /// Which share of the people came hours ago, between 0 and 1.
    #[arg(long, default_value_t = 0.05, value_parser = share)]
    late: f64,
    /// Which share of the clicks that lead to nothing comes through the click link, between 0 and 1.
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    links: f64,
    /// The same seed makes the same traffic; without it, each run differs.
    #[arg(long)]
    seed: Option<u64>,
    /// Where to send: the URL of ingest, or `kafka` for decided installs straight to their topic.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    to: String,
    /// Puts the seed into the names of the apps, so that this run has its counts for itself.
    #[arg(long)]
    isolate: bool,
    /// Writes what must be counted to this file.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// A rules file of postbacks: the truth then holds the deliveries of each rule.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// How long a batch is tried again before it is given up.
    #[arg(long, default_value = "5m", value_parser = humantime_serde::re::humantime::parse_duration)]
    give_up: Duration,
    /// Messages in one request.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,
    /// Requests at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    in_flight: u16,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Summary {
    seed: u64,
    journeys: u64,
    stored: u64,
    duplicates: u64,
    retries: u64,
    refused: u64,
    unsettled: u64,
    seconds: f64,
    expected: Counts,
}

/// On average a journey has more messages than this.
const MESSAGES_PER_JOURNEY: f64 = 2.0;
/// The exit code of whoever stops with work unsent.
const UNSENT: u8 = 75;

pub async fn run(args: SimulateArgs, output: Output) -> anyhow::Result<()> {
    let stop = signals::stop_on_signal()?;
    let seed = args.seed.unwrap_or_else(|| now().millis().unsigned_abs());
    let scenario = args.scenario(seed, now());
    let target = args.target(&stop)?;
    say(format!("simulating with seed {seed} to {}; Ctrl-C ends it", args.to));
    let deliveries = args.rules.as_deref().map(Deliveries::open).transpose()?.map(Arc::new);
    let watch = Watch { progress: Arc::default(), stop, deliveries };
    let bar = progress::of_messages(args.count, watch.progress.clone());
    let started_at = scenario.started_at;
    let outcome = play(scenario, args.pace(), target, watch).await.context("a sender ended early")?;
    bar.finish();
    if let Some(path) = &args.truth {
        outcome.tally.truth(seed, started_at).write(path)?;
        say(format!("the truth is in {}", path.display()));
    }
    report(&outcome, seed, output)?;
    if outcome.refused > 0 {
        bail!("{} messages were refused, such as: {}", outcome.refused, outcome.reasons.join("; "));
    }
    if outcome.unsettled > 0 {
        let cause = anyhow!("{} messages were given up: {}", outcome.unsettled, outcome.reasons.join("; "));
        bail!(stream::Error::Fatal { exit_code: UNSENT, cause });
    }
    Ok(())
}

impl SimulateArgs {
    fn scenario(&self, seed: u64, started_at: Time) -> Scenario {
        Scenario {
            seed,
            started_at,
            apps: apps(self.apps, self.isolate.then_some(seed)),
            spacing_ms: spacing(self.rate),
            shares: Shares { duplicates: self.duplicates, late: self.late, links: self.links },
            content: if self.to == "kafka" { Content::Installs } else { Content::Everything },
        }
    }

    fn pace(&self) -> Pace {
        Pace {
            rate: (self.rate > 0.0).then_some(self.rate),
            count: self.count,
            batch: self.batch.into(),
            in_flight: self.in_flight.into(),
        }
    }

    fn target(&self, stop: &CancellationToken) -> anyhow::Result<Target> {
        if self.to == "kafka" {
            return Ok(Target::installs(&self.kafka.settings()?, self.give_up)?);
        }
        let base = self.to.parse().with_context(|| format!("--to is `kafka` or a URL, not {}", self.to))?;
        Ok(Target::Http(HttpDoors {
            client: crate::connect::http_client()?,
            base,
            give_up: self.give_up,
            stop: stop.clone(),
        }))
    }
}

/// Milliseconds of event time between two journeys, so that event time never runs ahead of the clock.
pub fn spacing(rate: f64) -> f64 {
    if rate > 0.0 { 1_000.0 / rate * MESSAGES_PER_JOURNEY } else { 0.0 }
}

fn report(outcome: &Outcome, seed: u64, output: Output) -> anyhow::Result<()> {
    let summary = Summary {
        seed,
        journeys: outcome.journeys,
        stored: outcome.stored,
        duplicates: outcome.duplicates,
        retries: outcome.retries,
        refused: outcome.refused,
        unsettled: outcome.unsettled,
        seconds: outcome.elapsed.as_secs_f64(),
        expected: outcome.tally.totals(),
    };
    let Output::Table = output else { return output.json(&summary) };
    let expected = &summary.expected;
    let revenue =
        expected.revenue.iter().map(|(currency, amount)| format!("{amount} {currency}")).collect::<Vec<_>>().join(", ");
    let rows = [
        ("seed", seed.to_string()),
        ("messages stored", summary.stored.to_string()),
        ("of them sent twice", summary.duplicates.to_string()),
        ("tried again", summary.retries.to_string()),
        ("refused", summary.refused.to_string()),
        ("never settled", summary.unsettled.to_string()),
        ("messages a second", format!("{:.0}", summary.stored as f64 / summary.seconds.max(0.001))),
        ("expected clicks", expected.clicks.to_string()),
        ("expected impressions", expected.impressions.to_string()),
        ("expected installs", expected.installs.to_string()),
        ("expected sessions", expected.sessions.to_string()),
        ("expected events", expected.events.to_string()),
        ("expected revenue", revenue),
    ];
    output.rows(&table(["", "simulated"], rows.into_iter().map(|(name, value)| [name.to_owned(), value])))
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("{text} is not a number"))?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share lies between 0 and 1".into()) }
}
