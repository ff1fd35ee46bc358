//! What can be asked of the bench.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use event::topic;

use crate::shape::Shape;
use crate::world::repository;

#[derive(Args)]
pub(crate) struct Options {
    /// What is compared.
    #[arg(long, value_enum, default_value_t = Job::Reports)]
    pub(crate) job: Job,
    /// The peers that run beside `reports`: folders of bench/peers, or one variant such as `go/tuned`; `all`, or `none`.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    pub(crate) peers: Vec<String>,
    /// How many installs the topic holds; activities, for attribution.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) events: u64,
    /// How often each contender reads it whole: 5, and 7 for the price, which is small.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: Option<u64>,
    /// What the installs are made from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) shape: Shape,
    /// The folder of RESULTS.md, results.json and the picture.
    #[arg(long, default_value_os_t = repository().join("bench"))]
    pub(crate) out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Job {
    /// `reports` beside bare librdkafka, and beside the peers.
    Reports,
    /// `reports` beside itself without the guarantee.
    Price,
    /// The same in instructions, counted by valgrind.
    Instructions,
    /// `postbacks` under ever more rules.
    Rules,
    /// The three stages of `attribution`, with fifty clicks an install.
    Attribution,
    /// `ingest` beside a bare HTTP server.
    Ingest,
}

impl Job {
    /// What is read.
    pub(crate) fn topic(self) -> &'static str {
        match self {
            Self::Attribution | Self::Ingest => topic::ACTIVITY,
            _ => topic::INSTALLS,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reports => "reports",
            Self::Price => "price",
            Self::Instructions => "instructions",
            Self::Rules => "rules",
            Self::Attribution => "attribution",
            Self::Ingest => "ingest",
        }
    }
}

impl Options {
    pub(crate) fn rounds(&self) -> u64 {
        let usual = match self.job {
            Job::Reports | Job::Rules | Job::Attribution | Job::Ingest => 5,
            Job::Price => 7,
            Job::Instructions => 1,
        };
        self.rounds.unwrap_or(usual)
    }

    /// The command that measures the same again.
    pub(crate) fn command(&self) -> String {
        let Self { job, events, seed, shape, .. } = self;
        let mut words = format!("make bench JOB={} ROUNDS={} EVENTS={events}", job.name(), self.rounds());
        if job.topic() == topic::ACTIVITY {
            return words; // all that it sends is given
        }
        words += &format!(" SEED={seed}");
        if *job == Job::Reports {
            words += &format!(" PEERS={}", self.peers.join(","));
        }
        words + &shape.words()
    }
}
