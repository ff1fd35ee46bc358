//! The page that says what was measured, and how.

use crate::options::Job;
use crate::results::{Entry, Results, Run};
use crate::table::{self, OURS};

const JOBS: [Job; 3] = [Job::Reports, Job::Price, Job::Instructions];
/// How much more than bare librdkafka `reports` may need.
const MOST_OVER_BARE: f64 = 4.5;
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
        Job::Reports => ("`reports`, its floor and its peers", table::costs(run), over_bare(run)),
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

fn over_bare(run: &Run) -> String {
    let ratio = run.entry(OURS).zip(run.entry("bare librdkafka"));
    let Some(ratio) = ratio.and_then(|(ours, bare)| run.ratio(ours, bare, Entry::micros)) else { return String::new() };
    let word = if ratio.median <= MOST_OVER_BARE { "met" } else { "missed" };
    format!("The goal of at most {MOST_OVER_BARE} times bare librdkafka is {word}: {}.", ratio.text())
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
  *+ parse*, the floor, also reads the fields that `reports` counts by. *reports* is the shipped binary with its defaults,
  exactly-once into a real Redis, until its metrics say that it took every record and has nothing left to store.
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
