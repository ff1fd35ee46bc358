//! The bench from beginning to end.

use clap::Args;

use crate::consume;
use crate::contender::{CONTENDERS, Contender};
use crate::load::load;
use crate::results::{Costs, Results};
use crate::stop::Stop;
use crate::truth::Truth;
use crate::world::World;

#[derive(Args)]
pub(crate) struct Options {
    /// How many installs the topic holds.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) events: u64,
    /// How often each contender reads it whole.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rounds: u64,
    /// What the installs are made from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Measures, prints a table, and writes `bench/RESULTS.md` and `bench/results.json`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stop = Stop::listen()?;
    let outcome = measure(options, stop.clone());
    stop.check()?; // Ctrl-C reaches the servers too: what fails then is no news
    outcome
}

fn measure(options: &Options, stop: Stop) -> anyhow::Result<()> {
    println!("starting Kafka and Redis");
    let world = World::start(stop)?;
    println!("measuring what a start costs");
    let ends = consume::ends(&consume::consumer(&world.brokers())?)?;
    let start = read_by_all(&world, &Truth::of_nothing(ends), 0)?;
    let truth = load(&world, options.events, options.seed)?;
    let mut results = Results::new(options, &truth, world.core.is_some(), start)?;
    for round in 1..=options.rounds {
        results.add(read_by_all(&world, &truth, round)?);
    }
    results.publish()
}

/// One after the other, each to the end.
fn read_by_all(world: &World, truth: &Truth, round: u64) -> anyhow::Result<Costs> {
    let read = |contender: Contender| contender.read(world, truth, round);
    let [bare, parse, reports] = CONTENDERS;
    Ok([read(bare)?, read(parse)?, read(reports)?])
}
