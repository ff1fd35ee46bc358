//! The bench from beginning to end.

use crate::contender::{Contender, contenders};
use crate::load::load;
use crate::options::Options;
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
    println!("starting Kafka and Redis");
    let world = World::start(stop)?;
    println!("measuring what a start costs");
    let mut entries: Vec<Entry> = contenders.iter().map(Entry::new).collect();
    for start in 0..STARTS {
        for (contender, entry) in contenders.iter().zip(&mut entries) {
            attempt(contender, entry, (&world, &Truth::default(), start))?;
        }
    }
    let truth = load(&world, options)?;
    for round in 1..=options.rounds() {
        let mut order: Vec<(&Contender, &mut Entry)> = contenders.iter().zip(&mut entries).collect();
        if round % 2 == 0 {
            order.reverse(); // what warms up or wears out with time favours nobody
        }
        for (contender, entry) in order {
            if entry.rounds.len() >= contender.rounds() {
                continue;
            }
            attempt(contender, entry, (&world, &truth, STARTS + round))?;
            if let (None, Some(cost)) = (&entry.failed, entry.rounds.last()) {
                println!("round {round}: {}: {}", entry.name, entry.words(cost, options.events));
            }
        }
    }
    let run = Run::new(options, &truth, (world.core.is_some(), entries))?;
    Results::read(&options.out)?.with(options.job, run).publish(options.job)
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
