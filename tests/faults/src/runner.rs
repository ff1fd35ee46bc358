//! Runs rows and seeds, and keeps the score.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::Args;
use crate::fire::Fire;
use crate::results::{self, Line, Outcome};
use crate::row::{Inject, Rank, Row, Servers};
use crate::rows::{self, SHORT};
use crate::verdict::Verdict;

struct Score<'a> {
    args: &'a Args,
    lines: Mutex<Vec<Line>>,
    started: Instant,
    commit: String,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let rows: Vec<Row> = rows::all().into_iter().filter(|row| is_chosen(args, row)).collect();
    if args.list {
        rows.iter().for_each(|row| println!("{:>4}  {}", row.number, row.name));
        return ExitCode::SUCCESS;
    }
    if rows.is_empty() {
        eprintln!("no such row: {:?}; `--list` shows them", args.row);
        return ExitCode::from(2);
    }
    let lines = match args.out.as_ref().filter(|_| args.resume) {
        Some(out) => go_on(results::read(out)),
        None => rows.into_iter().map(Line::new).collect(),
    };
    let runs = missing(args, &lines);
    let score = Score { args, lines: Mutex::new(lines), started: Instant::now(), commit: commit() };
    let total = runs.len();
    let (crowd, queue) = (Mutex::new(()), Mutex::new(VecDeque::from(runs)));
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                while let Some(Run { row, seed, left, _alone }) = next(&queue, &crowd) {
                    eprintln!("[{}/{total}] row {} seed {seed}: {}", total - left, row.number, row.name);
                    let started = Instant::now();
                    let outcome = one(&row, seed);
                    let took_s = started.elapsed().as_secs();
                    score.note(&row, Outcome { commit: score.commit.clone(), took_s, ..outcome });
                }
            });
        }
    });
    score.finish()
}

/// Takes over what an earlier run found, of every row.
fn go_on(found: Vec<Outcome>) -> Vec<Line> {
    let mut lines: Vec<Line> = rows::all().into_iter().map(Line::new).collect();
    for outcome in found {
        let line = lines.iter_mut().find(|line| line.row.number == outcome.row);
        line.unwrap_or_else(|| panic!("there is no row {} any more", outcome.row)).outcomes.push(outcome);
    }
    lines
}

/// Every seed of every chosen row that has no outcome. The rows that matter most come first, in case of an interruption.
fn missing(args: &Args, lines: &[Line]) -> Vec<(Row, u64)> {
    let of_line = |line: &Line| -> Vec<(Row, u64)> {
        let is_new = |seed: &u64| !line.outcomes.iter().any(|outcome| outcome.seed == *seed);
        seeds(args, &line.row).into_iter().filter(is_new).map(|seed| (line.row, seed)).collect()
    };
    let mut runs: Vec<(Row, u64)> = lines.iter().filter(|line| is_chosen(args, &line.row)).flat_map(of_line).collect();
    runs.sort_by_key(|(row, _)| row.rank == Rank::Plain);
    runs
}

/// What one of the jobs takes up.
struct Run<'a> {
    row: Row,
    seed: u64,
    /// How many wait behind it.
    left: usize,
    /// Keeps away others of its kind.
    _alone: Option<MutexGuard<'a, ()>>,
}

/// Three brokers are a crowd: while they run, only rows with fewer run beside them.
fn next<'a>(queue: &Mutex<VecDeque<(Row, u64)>>, crowd: &'a Mutex<()>) -> Option<Run<'a>> {
    let mut waiting = queue.lock().unwrap();
    let is_crowd = |(row, _): &(Row, u64)| row.servers == Servers::ThreeBrokers;
    let alone = crowd.try_lock().ok();
    let first = waiting.iter().position(|run| alone.is_some() || !is_crowd(run));
    let (row, seed) = waiting.remove(first.unwrap_or_default())?;
    let left = waiting.len();
    drop(waiting);
    let _alone = match alone {
        _ if !is_crowd(&(row, seed)) => None,
        Some(alone) => Some(alone),
        None => Some(crowd.lock().unwrap()),
    };
    Some(Run { row, seed, left, _alone })
}

/// One seed of one row, from the first server to the verdict.
fn one(row: &Row, seed: u64) -> Outcome {
    let mut outcome = Outcome {
        row: row.number.to_owned(),
        seed,
        commit: String::new(),
        verdict: Err("it did not begin".into()),
        recoveries_ms: Vec::new(),
        p99_ms: 0,
        peak: (0, String::new()),
        notes: Vec::new(),
        events: 0,
        took_s: 0,
    };
    let burnt = catch_unwind(AssertUnwindSafe(|| {
        let inject = match row.inject {
            Inject::Run(inject) => inject,
            Inject::Alone(run) => {
                outcome.notes.push(run(seed));
                outcome.verdict = Ok(Verdict::default());
                return;
            }
            Inject::NotHere(why) => panic!("{why}"),
        };
        let mut fire = Fire::light(row.servers, seed);
        inject(&mut fire);
        outcome.peak = fire.peak();
        let verdict = fire.verdict();
        outcome.recoveries_ms = std::mem::take(&mut fire.recoveries).into_iter().map(millis).collect();
        outcome.notes = std::mem::take(&mut fire.notes);
        (outcome.p99_ms, outcome.events) = fire.load.truth(|truth| (millis(truth.p99()), truth.stored()));
        outcome.verdict = Ok(verdict);
        match &outcome.verdict {
            Ok(verdict) if !verdict.is_clean() => fire.give_up(verdict),
            _ => {}
        }
    }));
    if let (Err(panic), Err(_)) = (burnt, &outcome.verdict) {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        outcome.verdict = Err(text.unwrap_or_default());
    }
    outcome
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Of the code under test, as it is now.
fn commit() -> String {
    let git = |args: &[&str]| {
        let answer = Command::new("git").args(args).current_dir(testkit::repository()).output().ok()?;
        answer.status.success().then(|| String::from_utf8_lossy(&answer.stdout).trim().to_owned())
    };
    let is_changed = git(&["status", "--porcelain", "--untracked-files=no", "--", ":!tests/faults/RESULTS.*"]);
    let plus = if is_changed.is_some_and(|changes| !changes.is_empty()) { "+" } else { "" };
    format!("{}{plus}", git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "an unknown commit".into()))
}

fn is_chosen(args: &Args, row: &Row) -> bool {
    let is_asked = args.row.is_empty() || args.row.iter().any(|number| number == row.number);
    is_asked && (!args.short || SHORT.contains(&row.number))
}

fn seeds(args: &Args, row: &Row) -> Vec<u64> {
    match (row.inject, args.seed) {
        (Inject::NotHere(_), _) => Vec::new(),
        (_, Some(seed)) => vec![seed],
        _ if args.short => vec![1],
        _ if row.rank == Rank::Heart => (1..=args.heart_seeds.max(args.seeds)).collect(),
        _ => (1..=args.seeds).collect(),
    }
}

impl Score<'_> {
    fn note(&self, row: &Row, outcome: Outcome) {
        let (seed, failure) = (outcome.seed, outcome.failure());
        let mut lines = self.lines.lock().unwrap();
        let line = lines.iter_mut().find(|line| line.row.number == row.number).unwrap();
        line.outcomes.push(outcome);
        match failure {
            Some(why) => eprintln!("row {} seed {seed} FAILED: {why}", row.number),
            None => eprintln!("{}", line.text()),
        }
        if let Some(out) = &self.args.out {
            results::write(out, &lines);
        }
    }

    fn finish(self) -> ExitCode {
        let lines = self.lines.into_inner().unwrap();
        if let Some(out) = &self.args.out {
            results::write(out, &lines);
        }
        let failed: Vec<String> = lines
            .iter()
            .flat_map(|line| line.failed().map(|outcome| format!("ROW={} SEED={}", line.row.number, outcome.seed)))
            .collect();
        if failed.is_empty() {
            eprintln!("nothing lost, nothing double, nothing wrong, in {} s", self.started.elapsed().as_secs());
            return ExitCode::SUCCESS;
        }
        eprintln!("{} failed; repeat them with make faults {}", failed.len(), failed.join(" | "));
        ExitCode::FAILURE
    }
}
