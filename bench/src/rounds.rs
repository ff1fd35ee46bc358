//! The bench from beginning to end.

use crate::activity;
use crate::contender::{Contender, contenders};
use crate::load::load;
use crate::options::{Job, Options};
use crate::post;
use crate::results::{Entry, Results, Run};
use crate::stop::Stop;
use crate::truth::Truth;
use crate::world::World;

/// How often it is measured what a start costs: their median is taken off each round.
const STARTS: u64 = 3;

/// Measures, prints a table, and writes the results.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stop = Stop::listen()?;
    let outcome = measure(options, stop.clone());
    stop.check()?; // what fails after Ctrl-C is no news
    outcome
}

fn measure(options: &Options, stop: Stop) -> anyhow::Result<()> {
    let contenders = contenders(options)?;
    let entries = contenders.iter().map(Entry::new).collect();
    let mut field = Field { contenders, entries };
    let mut world = start(&stop)?;
    println!("measuring what a start costs");
    let empty = Truth::of(options.job.topic());
    for start in 0..STARTS {
        field.read((&world, &empty, start))?;
    }
    let mut truth = fill(&world, options)?;
    for round in 1..=options.rounds() {
        if round > 1 && options.job == Job::Attribution {
            // What it publishes stays in Kafka, and it would begin behind that.
            drop(world);
            world = start(&stop)?;
            truth = fill(&world, options)?;
        }
        field.read((&world, &truth, STARTS + round))?;
    }
    let run = Run::new(options, &truth, (world.core.is_some(), field.entries))?;
    Results::read(&options.out)?.with(options.job, run).publish(options.job)
}

fn start(stop: &Stop) -> anyhow::Result<World> {
    println!("starting Kafka and Redis");
    World::start(stop.clone())
}

fn fill(world: &World, options: &Options) -> anyhow::Result<Truth> {
    match options.job {
        Job::Attribution => activity::load(world, options),
        Job::Ingest => post::truth(options.events),
        _ => load(world, options),
    }
}

/// All that take part, each with what it cost.
struct Field {
    contenders: Vec<Contender>,
    entries: Vec<Entry>,
}

impl Field {
    /// Everybody's turn.
    fn read(&mut self, (world, truth, reading): (&World, &Truth, u64)) -> anyhow::Result<()> {
        let mut order: Vec<(&Contender, &mut Entry)> = self.contenders.iter().zip(&mut self.entries).collect();
        if reading % 2 == 0 {
            order.reverse(); // what warms up or wears out with time favours nobody
        }
        for (contender, entry) in order {
            if entry.rounds.len() >= contender.rounds() {
                continue;
            }
            attempt(contender, entry, (world, truth, reading))?;
            if let (None, Some(cost)) = (&entry.failed, entry.rounds.last()) {
                println!("round {}: {}: {}", reading - STARTS, entry.name, entry.words(cost, truth.records));
            }
        }
        Ok(())
    }
}

/// One reading; what a peer cannot do is noted, and it is not asked again.
fn attempt(
    contender: &Contender,
    entry: &mut Entry,
    (world, truth, reading): (&World, &Truth, u64),
) -> anyhow::Result<()> {
    if entry.failed.is_some() {
        return Ok(());
    }
    match contender.read(world, truth, reading) {
        Ok(cost) if truth.records == 0 => entry.starts.push(cost),
        Ok(cost) => entry.rounds.push(cost),
        Err(error) if contender.may_fail() => {
            world.stop.check()?;
            println!("{}: failed: {error:#}", entry.name);
            entry.failed = format!("{error:#}").lines().next().map(|line| line.trim_end_matches(':').to_owned());
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
