//! What a stage measures of itself: the only place in the loop's reach that knows of metrics.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tracing::{error, info, warn};

use crate::clock::now_ms;
use crate::flood::Flood;
use crate::halt::{HaltCode, Halts};
use crate::{Batch, Error};

/// A commit that takes longer is worth a line: nothing else of the stage's partitions is read meanwhile.
const SLOW_COMMIT: Duration = Duration::from_secs(2);

pub(crate) struct Meter {
    stage: String,
    records: Counter,
    rejects: Counter,
    commits: Counter,
    commit_seconds: Histogram,
    behind: Gauge,
    alarm: Gauge,
    halted: [(HaltCode, Gauge); HaltCode::ALL.len()],
    flood: Flood,
    newest: Option<i64>,
}

impl Meter {
    pub(crate) fn new(stage: &str) -> Self {
        let label = || [("stage", stage.to_owned())];
        Self {
            stage: stage.to_owned(),
            records: counter!("attributary_records_total", &label()),
            rejects: counter!("attributary_rejects_total", &label()),
            commits: counter!("attributary_commits_total", &label()),
            commit_seconds: histogram!("attributary_commit_seconds", &label()),
            behind: gauge!("attributary_seconds_behind", &label()),
            alarm: gauge!("attributary_reject_flood", &label()),
            halted: HaltCode::ALL.map(|code| {
                (code, gauge!("attributary_partitions_halted", "stage" => stage.to_owned(), "code" => code.as_str()))
            }),
            flood: Flood::default(),
            newest: None,
        }
    }

    pub(crate) fn took(&mut self, batch: &Batch<'_>) {
        self.records.increment(batch.len() as u64);
        self.rejects.increment(batch.refused().len() as u64);
        self.newest = self.newest.max(batch.last_appended_at());
        if batch.refused().len() > 0 || !self.flood.is_calm() {
            self.watch_for_a_flood(batch);
        }
    }

    fn watch_for_a_flood(&mut self, batch: &Batch<'_>) {
        let Some(raised) = self.flood.observe(batch.verdicts()) else { return };
        self.alarm.set(f64::from(u8::from(raised)));
        if raised {
            error!(stage = self.stage, "many records are refused: see them with `attributary dead ls`");
        } else {
            info!(stage = self.stage, "records are accepted again");
        }
    }

    /// The sink took so long to store a step's work.
    pub(crate) fn committed(&self, took: Duration) {
        self.commit_seconds.record(took);
        if took >= SLOW_COMMIT {
            warn!(stage = self.stage, seconds = took.as_secs_f64(), "a commit was slow");
        }
    }

    /// Ends a step: its work, if any, is stored.
    pub(crate) fn stepped(&mut self, halts: &Halts) {
        for (code, gauge) in &self.halted {
            gauge.set(halts.count(*code) as f64);
        }
        let Some(newest) = self.newest.take() else { return self.behind.set(0.0) };
        self.behind.set(now_ms().saturating_sub(newest).max(0) as f64 / 1000.0);
        self.commits.increment(1);
    }

    pub(crate) fn recovered(&self, error: &Error) {
        let cause = match error {
            Error::Fenced(_) => "fenced",
            Error::Halted(_) => "halted",
            Error::Transient(_) | Error::Fatal { .. } => "failed",
        };
        counter!("attributary_recoveries_total", "stage" => self.stage.clone(), "cause" => cause).increment(1);
    }
}
