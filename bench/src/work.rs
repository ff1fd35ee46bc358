//! What one core does with a record between Kafka and the store, alone in a process: what valgrind can count to the last
//! instruction.

use std::hint::black_box;

use anyhow::{Context, ensure};
use attribution::{History, Rules, Touch, decide};
use clap::{Args, ValueEnum};
use event::{Activity, topic};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;
use serde::{Deserialize, Serialize};
use stream::{Batch, Message, Partition};

use crate::activity::{Click, install};
use crate::record::Draw;
use crate::shape::Shape;

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    of: Part,
    /// How often the same records are worked on.
    #[arg(long)]
    passes: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// From an install's record to the effects on the counters.
    Reports,
    /// From an install and the touches of its device to the decision that is published.
    Decide,
}

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reports => "reports",
            Self::Decide => "decide",
        }
    }
}

/// Records in a pass.
pub(crate) const RECORDS: u64 = 1_000;
const SEED: u64 = 1;
const INSTALLED: &str = "2026-11-22T10:00:00";
/// Touches of a device, of which every seventh is too old.
const TOUCHES: u64 = 10;

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    match options.of {
        Part::Reports => count(options.passes),
        Part::Decide => rule(options.passes),
    }
}

fn count(passes: u64) -> anyhow::Result<()> {
    let (draw, mut rng) = (Draw::new(&Shape::default()), StdRng::seed_from_u64(SEED));
    let mut batch = Batch::new(Partition::new(topic::INSTALLS, 0), 1, stream::Offset(0));
    for number in 0..RECORDS {
        let json = draw.install(&mut rng, (number, RECORDS)).json(&mut rng);
        let (offset, appended_at) = (number.cast_signed(), Timestamp::LogAppendTime(0));
        let message =
            OwnedMessage::new(Some(json.into_bytes()), None, topic::INSTALLS.into(), appended_at, 0, offset, None);
        batch.push(Message::Owned(message));
    }
    let settings = reports::Reports::default();
    for _ in 0..passes {
        black_box(reports::installs(black_box(&mut batch), &settings)?);
    }
    ensure!(batch.finish(()).balance.refused == 0, "every record was counted");
    Ok(())
}

fn rule(passes: u64) -> anyhow::Result<()> {
    let rules = Rules::default();
    let records: Vec<(String, Vec<String>)> =
        (0..RECORDS).map(|device| (install(device, INSTALLED), clicks(device))).collect();
    let mut devices = Vec::new();
    for (install, clicks) in &records {
        let clicks: Result<Vec<Activity<'_>>, _> = clicks.iter().map(|click| serde_json::from_str(click)).collect();
        let clicks = clicks.context("reading a click")?;
        devices.push((install, clicks.iter().filter_map(|click| Touch::of(click, &rules)).collect::<Vec<_>>()));
    }
    for _ in 0..passes {
        for (install, touches) in &devices {
            let install: Activity<'_> = serde_json::from_str(black_box(install)).context("reading an install")?;
            let decision = decide(&install, black_box(touches), &History::default(), &rules);
            ensure!(decision.attribution.contributors.len() == 3, "three more touches count");
            black_box(serde_json::to_string(&decision.attribution)?);
        }
    }
    Ok(())
}

fn clicks(device: u64) -> Vec<String> {
    let click = |number: u64| {
        let day = if number.is_multiple_of(7) { "2026-10-01" } else { "2026-11-20" };
        Click { device, number, source: number }.received(&format!("{day}T{number:02}:00:00"))
    };
    (0..TOUCHES).map(click).collect()
}
