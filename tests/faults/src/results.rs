//! The table: a row for each fault. It and what it is made of are written anew after each run, so that an interruption keeps
//! what there is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::row::{Inject, Row};
use crate::verdict::Verdict;

/// What came of one seed.
#[derive(Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) row: String,
    pub(crate) seed: u64,
    /// Of the code that was run; a `+` for changes that are not committed.
    pub(crate) commit: String,
    /// What the row found, or why it failed before the verdict.
    pub(crate) verdict: Result<Verdict, String>,
    pub(crate) recoveries_ms: Vec<u64>,
    pub(crate) p99_ms: u64,
    /// MiB, and whose.
    pub(crate) peak: (u64, String),
    pub(crate) notes: Vec<String>,
    pub(crate) events: u64,
    pub(crate) took_s: u64,
}

/// The outcomes of one row.
pub(crate) struct Line {
    pub(crate) row: Row,
    pub(crate) outcomes: Vec<Outcome>,
}

const HEADER: &str = "# What broke, and what came of it

Written by `make faults`. Each seed starts a real Kafka and Redis of its own, two replicas of every service, and clients that
send about 400 events a second; then the fault, then the verdict. *lost*, *double* and *wrong* are sums over the seeds: records
or deliveries that were acknowledged, or due, and are not there; those that are there twice without saying so; counters,
decisions and dead letters that are not what the log says. *flagged* counts requests to networks that came again and said so.
*recovery* is the time until everything that Kafka had acknowledged was counted, and something newer too: from the fault on, or
from when its cause was gone (median, greatest). *p99* is the worst seed's for requests that were acknowledged, the fault
included; *memory* is the largest resident set of any service. Repeat one with `make faults ROW=24 SEED=7`.

| row | fault | seeds | events | lost | double | wrong | flagged | recovery s | p99 ms | memory MiB | notes |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

impl Outcome {
    pub(crate) fn failure(&self) -> Option<String> {
        match &self.verdict {
            Err(why) => Some(why.clone()),
            Ok(verdict) => {
                let findings: Vec<&String> = [&verdict.lost, &verdict.double, &verdict.wrong]
                    .into_iter()
                    .flat_map(|each| each.iter().take(3))
                    .collect();
                (!findings.is_empty()).then(|| format!("{findings:?}"))
            }
        }
    }
}

impl Line {
    pub(crate) fn new(row: Row) -> Self {
        Self { row, outcomes: Vec::new() }
    }

    pub(crate) fn failed(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.failure().is_some())
    }

    /// One line of the table.
    pub(crate) fn text(&self) -> String {
        let Row { number, name, inject, .. } = self.row;
        if let Inject::NotHere(why) = inject {
            return format!("| {number} | {name} | 0 | | | | | | | | | not run here: {why} |");
        }
        if self.outcomes.is_empty() {
            return format!("| {number} | {name} | 0 | | | | | | | | | not reached in this run |");
        }
        let sum = |of: fn(&Verdict) -> usize| -> usize {
            self.outcomes.iter().filter_map(|outcome| outcome.verdict.as_ref().ok()).map(of).sum()
        };
        let mut recoveries: Vec<u64> =
            self.outcomes.iter().flat_map(|outcome| outcome.recoveries_ms.iter().copied()).collect();
        recoveries.sort_unstable();
        let recovery = match (recoveries.get(recoveries.len() / 2), recoveries.last()) {
            (Some(&median), Some(&most)) => format!("{:.1}, {:.1}", median as f64 / 1e3, most as f64 / 1e3),
            _ => "-".to_owned(),
        };
        let p99 = self.outcomes.iter().map(|outcome| outcome.p99_ms).max().unwrap_or_default();
        let (memory, whose) = self.outcomes.iter().map(|outcome| outcome.peak.clone()).max().unwrap_or_default();
        let events: u64 = self.outcomes.iter().map(|outcome| outcome.events).sum();
        let (lost, double) = (sum(|verdict| verdict.lost.len()), sum(|verdict| verdict.double.len()));
        let (wrong, flagged) = (sum(|verdict| verdict.wrong.len()), sum(|verdict| verdict.repeats));
        format!(
            "| {number} | {name} | {} | {events} | {lost} | {double} | {wrong} | {flagged} | {recovery} | {p99} | {memory} {whose} | {} |",
            self.outcomes.len(),
            self.notes()
        )
    }

    fn notes(&self) -> String {
        let failures = self.failed().map(|outcome| {
            let why = outcome.failure().unwrap_or_default();
            let short: String = why.chars().take(300).collect();
            format!("**FAILED** `ROW={} SEED={}`: {short}", self.row.number, outcome.seed)
        });
        let notes = self.outcomes.iter().flat_map(|outcome| outcome.notes.clone()).take(4);
        let all: Vec<String> = failures.chain(notes).map(|note| note.replace(['|', '\n'], " ")).collect();
        all.join("; ")
    }
}

/// Writes the whole table, and beside it what each run found, a line of JSON each.
pub(crate) fn write(out: &Path, lines: &[Line]) {
    let mut text = HEADER.to_owned();
    let (mut found, mut commits, mut failed) = (String::new(), BTreeMap::<&str, usize>::new(), 0);
    for line in lines {
        writeln!(text, "{}", line.text()).unwrap();
        failed += line.failed().count();
        for outcome in &line.outcomes {
            writeln!(found, "{}", serde_json::to_string(outcome).unwrap()).unwrap();
            *commits.entry(&outcome.commit).or_default() += 1;
        }
    }
    let runs: usize = commits.values().sum();
    let minutes = lines.iter().flat_map(|line| &line.outcomes).map(|outcome| outcome.took_s).sum::<u64>() / 60;
    let commits: Vec<String> = commits.iter().map(|(commit, runs)| format!("{commit} ({runs})")).collect();
    writeln!(text, "\n{runs} runs of {minutes} minutes together, at {}; {failed} failed.", commits.join(", ")).unwrap();
    replace(&out.with_extension("jsonl"), &found);
    replace(out, &text);
}

/// Whole or not at all: an interruption must not cut what earlier runs found.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// What an earlier, interrupted run found.
pub(crate) fn read(out: &Path) -> Vec<Outcome> {
    let file = out.with_extension("jsonl");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}
