//! The page that says what was measured, and how.

use crate::contender::{BARE, FLOOR};
use crate::decided::ATTRIBUTION;
use crate::door::{Door, Server};
use crate::matcher::Matcher;
use crate::options::Job;
use crate::results::{Entry, Results, Run, Spread};
use crate::table::{self, OURS};

const JOBS: [Job; 6] = [Job::Reports, Job::Ingest, Job::Attribution, Job::Rules, Job::Price, Job::Instructions];
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
        Job::Attribution => ("`attribution`: remember, decide, record", table::ours(run), attribution(run)),
        Job::Ingest => ("`ingest` and a bare HTTP server", table::ours(run), ingest(run)),
        Job::Rules => ("`postbacks` under ever more rules", table::ours(run), rules(run)),
        Job::Price => ("The price of the guarantee", table::price(run), price(run)),
        Job::Instructions => ("The price of the guarantee, in instructions", table::instructions(run), more(run)),
    };
    let picture = if job == Job::Reports { "![CPU microseconds per event](results.svg)\n\n" } else { "" };
    format!("## {title}\n\n{}\n\n{picture}{table}\n\n{verdict}\n\n", made_by(run, job))
}

fn made_by(run: &Run, job: Job) -> String {
    let Run { date, command, machine, versions, events, malformed, bytes_per_event, counters, .. } = run;
    let disk = match run.disk_bytes_per_event {
        0 => String::new(),
        bytes => format!(" ({bytes} on Kafka's disk)"),
    };
    let records = match job {
        Job::Attribution => format!("{events} activities, fifty clicks to an install,"),
        Job::Ingest => format!("{events} clicks"),
        _ => format!("{events} installs"),
    };
    let peers = match run.peers_counters {
        0 => String::new(),
        peers => format!(" ({peers} of the peers, which count by less)"),
    };
    let counters = match job {
        Job::Attribution | Job::Rules | Job::Ingest => String::new(),
        _ => format!(", {counters} distinct counters{peers}"),
    };
    let cores = if run.pinned {
        "Kafka and Redis run on one core, the measured process on another."
    } else {
        "Nothing is pinned to a core here."
    };
    format!(
        "Made by `{command}` on {date}: {records} of {bytes_per_event} bytes of JSON, {malformed} of them malformed, lz4{disk}, \
         4 partitions{counters}.\n{machine}. {versions}. {cores}"
    )
}

/// The goals that are measured here, each with its figure.
fn goals(run: &Run) -> String {
    let Some(ours) = run.entry(OURS) else { return String::new() };
    let ratio =
        |of: Option<&Entry>, to: Option<&Entry>| of.zip(to).and_then(|(of, to)| run.ratio(of, to, Entry::micros));
    list(&[
        goal("at most 1.0 CPU µs per event, a million events a second on one core", run.micros(ours), |it| it <= 1.0),
        goal("at least 0.80 of the composed floor", ratio(run.entry(FLOOR), Some(ours)), |it| it >= 0.8),
        goal("at most 4.5 times bare librdkafka", ratio(Some(ours), run.entry(BARE)), |it| it <= 4.5),
        goal("Redis' own CPU at most 0.5 µs per event", run.redis_micros(ours), |it| it <= 0.5),
        goal("at most 64 bytes of Redis' memory a counter", run.redis_bytes(ours, run.counters as u64), |it| {
            it <= 64.0
        }),
    ])
}

fn attribution(run: &Run) -> String {
    let Some(ours) = run.entry(ATTRIBUTION) else { return String::new() };
    list(&[
        goal("at most 10 CPU µs, 100,000 activities a second on one core", run.micros(ours), |it| it <= 10.0),
        goal("at most 96 bytes of Redis' memory an activity", run.redis_bytes(ours, run.events), |it| it <= 96.0),
    ])
}

fn ingest(run: &Run) -> String {
    let entry = |server, each| run.entry(&Door::of(server, each).name);
    let [bare, single, many] =
        [(Server::Bare, 1), (Server::Ingest, 1), (Server::Ingest, 100)].map(|(s, n)| entry(s, n));
    list(&[
        goal("100 events a POST: at most 2 CPU µs an event", many.and_then(|it| run.micros(it)), |it| it <= 2.0),
        goal(
            "1 event a POST: at least 0.70 of bare hyper",
            bare.zip(single).and_then(|(bare, single)| run.ratio(bare, single, Entry::micros)),
            |it| it >= 0.7,
        ),
    ])
}

fn rules(run: &Run) -> String {
    let entry = |rules| run.entry(&Matcher::with(rules).name);
    let compare = |many, few, figure: fn(f64, f64) -> f64| {
        let (many, few): (&Entry, &Entry) = (entry(many)?, entry(few)?);
        let pairs = many.rounds.iter().zip(&few.rounds);
        Spread::of(pairs.map(|(a, b)| figure(many.micros(a, run.events), few.micros(b, run.events))))
    };
    list(&[
        goal("10,000 rules cost at most 0.3 µs more than none", compare(10_000, 0, |many, none| many - none), |it| {
            it <= 0.3
        }),
        goal("100,000 rules cost at most 1.5 times 100", compare(100_000, 100, |many, few| many / few), |it| it <= 1.5),
    ])
}

/// A goal and what was measured; nothing where it was not.
fn goal(what: &str, figure: Option<Spread>, is_met: fn(f64) -> bool) -> Option<String> {
    let figure = figure?;
    let word = if is_met(figure.median) { "met" } else { "missed" };
    Some(format!("- {what}: {word}, {}", figure.text()))
}

fn list(goals: &[Option<String>]) -> String {
    let goals: Vec<&str> = goals.iter().flatten().map(String::as_str).collect();
    format!("Goals:\n{}", goals.join("\n"))
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
- Each contender reads the same topic from its beginning to its end (or is sent the same events), in turn, round after round. Ratios are the median of
  the ratios within a round; the machine's other work moves absolute times more than ratios.
- *bare librdkafka* takes every record by `poll`, with the consumer settings of `reports`, and does nothing with it;
  *+ parse* also reads the fields that `reports` counts by; *+ count* also counts by them in memory; *+ sums to Redis* also
  writes the sums, 50,000 records at a time, as hand-made bytes: the composed floor, run for real, without any promise.
- *reports* is the shipped binary with its defaults, exactly-once into a real Redis, until its metrics say that it took every
  record and has nothing left to store.
- *reports without its guarantee* is the same service, the same loop, handlers and writes to Redis by the same script, less
  the lines that compare and store the position. The positions stand in Kafka alone, noted once a second.
- *attribution* is the shipped binary with its defaults, on a backlog. It has worked that off once Redis holds the balances
  of `remember` and of `record` with the last record. What was decided is read from `installs` and compared with what
  each device's last click earned. Each round has a Kafka of its own, since it would begin behind what it published before; its
  own CPU is that of a young JVM.
- *ingest* is the shipped binary, open to all, which answers once Kafka has the events; *bare hyper* reads the same bodies and
  answers at once. A client on the servers' core sends them over 64 connections, each request once the one before is
  answered; how many records Kafka has is compared with how many were accepted.
- *postbacks* has one rule that applies to a few installs, whose deliveries are counted in Redis afterwards; all others name
  an app that there is and a source that sends nothing, and are told apart by the index. Their endpoint is asked once: it is the scheduling that is measured.
- The peers read, count by app, day, media source and country, and commit their offsets, each in its own way: the folders of
  `peers/` have their programs and settings. *Naive* is what one writes first; *tuned* is the best that we could make of it
  while it stays recognisable. `KEYS=shared` makes installs that differ in nothing else, so that all keep the same counters.
- The time is user and system time of the process, all its threads, and whatever it started (`/proc/<pid>/stat`). What a
  start costs was measured on the empty topic, until it was ready, and is taken off each, from what Redis grew by, too.
- Apps, media sources, campaigns and countries follow Zipf's law (20 × 25 × 4 × 50), spread over 24 hours.
- Every round is checked against what was produced (the counters one by one): a wrong count of ours fails the bench, one of a peer
  is reported as its failure. Redis is emptied between rounds. `results.json` has every round.";
