//! The fault runner: real services on a real Kafka and Redis, a load with known truth, one fault from a seed, the verdict.
//!
//! `make faults` runs every row of the matrix and writes `tests/faults/RESULTS.md`; `make faults ROW=24 SEED=7` repeats one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod row;
mod rows;

mod fire;
mod load;
mod truth;

mod verdict;

mod fold;
mod log;
mod results;
mod runner;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Injects faults, and checks that nothing is lost, doubled or wrong.
#[derive(Parser, Debug)]
struct Args {
    /// Rows to run, such as `24` or `29,30`; all if none is named.
    #[arg(long, env = "ROW", value_delimiter = ',')]
    row: Vec<String>,
    /// The one seed to run.
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// How many seeds each row gets.
    #[arg(long, env = "SEEDS", default_value_t = 3)]
    seeds: u64,
    /// How many seeds the rows at the heart get.
    #[arg(long, env = "HEART_SEEDS", default_value_t = 20)]
    heart_seeds: u64,
    /// Only the rows that every change must pass, one seed each.
    #[arg(long)]
    short: bool,
    /// How many run side by side.
    #[arg(long, env = "JOBS", default_value_t = 1)]
    jobs: usize,
    /// Where the table goes; none is written without it.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Goes on with the table that is there: only what it lacks is run.
    #[arg(long, env = "RESUME")]
    resume: bool,
    /// Lists the rows.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    runner::run(&Args::parse())
}
