//! The page that says what was measured, and how.

use crate::contender::{BARE, FLOOR};
use crate::options::Job;
use crate::results::{Entry, Results, Run, Spread};
use crate::table::{self, OURS};

const JOBS: [Job; 3] = [Job::Reports, Job::Price, Job::Instructions];
/// What the guarantee may cost.
const HIGHEST_PRICE: f64 = 0.02;

/// Everything that is known.
pub(crate) fn page(results: &Results) -> String {
    let sections = JOBS.map(|job| section(results, job)).join("");
    format!("# What an event costs\n\n{sections}{METHOD}\n")
}

/// What one job found out; nothing while it never ran.
pub(crate) fn section(results: &Results, job: Job) -> String {
    let Some(run) = results.of(job) else { return String::new() };
    let (title, table, verdict) = match job {
        Job::Reports => ("`reports`, its floor and its peers", table::costs(run), goals(run)),
        Job::Price => ("The price of the guarantee", table::price(run), price(run)),
        Job::Instructions => ("The price of the guarantee, in instructions", table::instructions(run), more(run)),
    };
    let picture = if job == Job::Reports { "![CPU microseconds per event](results.svg)\n\n" } else { "" };
    format!("## {title}\n\n{}\n\n{picture}{table}\n\n{verdict}\n\n", made_by(run))
}

fn made_by(run: &Run) -> String {
    let Run { date, command, machine, versions, events, malformed, bytes_per_event, counters, .. } = run;
    let peers = match run.peers_counters {
        0 => String::new(),
        peers => format!(" ({peers} of the peers, which count by less)"),
    };
    let cores = if run.pinned {
        "Kafka and Redis run on one core, the measured process on another."
    } else {
        "Nothing is pinned to a core here."
    };
    format!(
        "Made by `{command}` on {date}: {events} installs of {bytes_per_event} bytes of JSON, {malformed} of them malformed, \
         lz4, 4 partitions, {counters} distinct counters{peers}.\n{machine}. {versions}. {cores}"
    )
}

/// The goals that are measured here, each with its figure.
fn goals(run: &Run) -> String {
    let Some(ours) = run.entry(OURS) else { return String::new() };
    let mut lines = Vec::new();
    let mut goal = |what: &str, figure: Option<Spread>, is_met: fn(f64) -> bool| {
        let Some(figure) = figure else { return };
        let word = if is_met(figure.median) { "met" } else { "missed" };
        lines.push(format!("- {what}: {word}, {}", figure.text()));
    };
    let ratio =
        |of: Option<&Entry>, to: Option<&Entry>| of.zip(to).and_then(|(of, to)| run.ratio(of, to, Entry::micros));
    goal("at most 1.0 CPU µs per event, a million events a second on one core", run.micros(ours), |it| it <= 1.0);
    goal("at least 0.80 of the composed floor", ratio(run.entry(FLOOR), Some(ours)), |it| it >= 0.8);
    goal("at most 4.5 times bare librdkafka", ratio(Some(ours), run.entry(BARE)), |it| it <= 4.5);
    goal("Redis' own CPU at most 0.5 µs per event", run.redis_micros(ours), |it| it <= 0.5);
    format!("Goals:\n{}", lines.join("\n"))
}

fn price(run: &Run) -> String {
    let [without, with] = &run.contenders[..] else { return String::new() };
    let Some(ratio) = run.ratio(with, without, Entry::micros) else { return String::new() };
    let percent = |ratio: f64| format!("{:+.1} %", (ratio - 1.0) * 100.0);
    let word = if ratio.median - 1.0 < HIGHEST_PRICE { "met" } else { "missed" };
    format!(
        "The goal of less than {:.0} % for the guarantee is {word}: {} ({} – {}) of the process' CPU.",
        HIGHEST_PRICE * 100.0,
        percent(ratio.median),
        percent(ratio.least),
        percent(ratio.most)
    )
}

fn more(run: &Run) -> String {
    let [without, with] = &run.contenders[..] else { return String::new() };
    let Some(ratio) = run.ratio(with, without, Entry::instructions) else { return String::new() };
    format!("The guarantee costs {:+.2} % of the process' instructions.", (ratio.median - 1.0) * 100.0)
}

const METHOD: &str = "\
## How it is measured
- Each contender reads the same topic from its beginning to its end, in turn, round after round. Ratios are the median of
  the ratios within a round; the machine's other work moves absolute times more than ratios.
- *bare librdkafka* takes every record by `poll`, with the consumer settings of `reports`, and does nothing with it;
  *+ parse* also reads the fields that `reports` counts by; *+ count* also counts by them in memory; *+ sums to Redis* also
  writes the sums, 50,000 records at a time, as hand-made bytes: the composed floor, run for real, without any promise.
- *reports* is the shipped binary with its defaults, exactly-once into a real Redis, until its metrics say that it took every
  record and has nothing left to store.
- *reports without its guarantee* is the same service, the same loop, handlers and writes to Redis by the same script, less
  the lines that compare and store the position. The positions stand in Kafka alone, noted once a second.
- The peers read, count by app, day, media source and country, and commit their offsets, each in its own way: the folders of
  `peers/` have their programs and settings. *Naive* is what one writes first; *tuned* is the best that we could make of it
  while it stays recognisable. `KEYS=shared` makes installs that differ in nothing else, so that all keep the same counters.
- The time is user and system time of the process, all its threads, and whatever it started (`/proc/<pid>/stat`). What a
  start costs was measured on the empty topic, until partitions were assigned, and is taken off each.
- Apps, media sources, campaigns and countries follow Zipf's law (20 × 25 × 4 × 50), spread over 24 hours.
- Every round is checked against what was produced, counter by counter: a wrong count of ours fails the bench, one of a peer
  is reported as its failure. Redis is emptied between rounds. `results.json` has every round.";
