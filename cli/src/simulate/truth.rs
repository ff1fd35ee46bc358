//! What the services must have counted once everything that was acknowledged went through them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use event::{Currency, Micros, Time};
use serde::{Deserialize, Serialize};

/// Everything that is expected of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    pub seed: u64,
    pub started_at: Time,
    pub apps: BTreeSet<String>,
    pub rows: Vec<Row>,
    /// Deliveries by rule, where the run was given a rules file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deliveries: BTreeMap<String, u64>,
}

/// One combination of dimensions and what was counted in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    #[serde(flatten)]
    pub cell: Cell,
    #[serde(flatten)]
    pub counts: Counts,
}

/// The dimensions of a count; an empty one does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    pub app_id: String,
    /// `2026-11-22`, UTC.
    pub day: String,
    pub media_source: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub campaign: String,
    pub country: String,
    pub platform: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    #[serde(skip_serializing_if = "is_zero")]
    pub installs: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub events: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub clicks: i64,
    /// Clicks through the link whose answer never came: each may be counted or not.
    #[serde(skip_serializing_if = "is_zero")]
    pub unsure_clicks: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub impressions: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub sessions: i64,
    /// By currency; never summed over currencies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub revenue: BTreeMap<String, Micros>,
}

/// One thing that must be counted once, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    pub cell: Cell,
    pub metric: Metric,
    pub revenue: Option<(Micros, Currency)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    Install,
    Event,
    Click,
    Impression,
    Session,
}

/// The truth while it grows: what was acknowledged so far.
#[derive(Debug, Default)]
pub struct Tally {
    cells: BTreeMap<Cell, Counts>,
    deliveries: BTreeMap<String, u64>,
}

impl Tally {
    pub fn add(&mut self, counted: &Counted) {
        let counts = self.cells.entry(counted.cell.clone()).or_default();
        match counted.metric {
            Metric::Install => counts.installs += 1,
            Metric::Event => counts.events += 1,
            Metric::Click => counts.clicks += 1,
            Metric::Impression => counts.impressions += 1,
            Metric::Session => counts.sessions += 1,
        }
        if let Some((amount, currency)) = counted.revenue {
            counts.earn(currency.as_str(), amount);
        }
    }

    /// Notes a click that may or may not be counted.
    pub fn doubt(&mut self, cell: Cell) {
        self.cells.entry(cell).or_default().unsure_clicks += 1;
    }

    pub fn expect_delivery(&mut self, rule: &str) {
        *self.deliveries.entry(rule.to_owned()).or_default() += 1;
    }

    pub fn totals(&self) -> Counts {
        self.cells.values().fold(Counts::default(), |mut sum, counts| {
            sum.add(counts);
            sum
        })
    }

    /// The truth as of now.
    pub fn truth(&self, seed: u64, started_at: Time) -> Truth {
        Truth {
            seed,
            started_at,
            apps: self.cells.keys().map(|cell| cell.app_id.clone()).collect(),
            rows: self.cells.iter().map(|(cell, counts)| Row { cell: cell.clone(), counts: counts.clone() }).collect(),
            deliveries: self.deliveries.clone(),
        }
    }
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        self.installs += other.installs;
        self.events += other.events;
        self.clicks += other.clicks;
        self.unsure_clicks += other.unsure_clicks;
        self.impressions += other.impressions;
        self.sessions += other.sessions;
        for (currency, amount) in &other.revenue {
            self.earn(currency, *amount);
        }
    }

    fn earn(&mut self, currency: &str, amount: Micros) {
        let sum = self.revenue.entry(currency.to_owned()).or_default();
        *sum = Micros::new(sum.get() + amount.get());
    }
}

impl Truth {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} is not a truth that `simulate --truth` wrote", path.display()))
    }

    /// Writes the file whole or not at all.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let partial = path.with_extension("partial");
        std::fs::write(&partial, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("writing {}", partial.display()))?;
        std::fs::rename(&partial, path).with_context(|| format!("writing {}", path.display()))
    }

    pub fn totals(&self) -> Counts {
        self.rows.iter().fold(Counts::default(), |mut sum, row| {
            sum.add(&row.counts);
            sum
        })
    }
}

/// The UTC day of a time, `2026-11-22`.
pub fn day(time: Time) -> String {
    time.to_string().chars().take(10).collect()
}

fn is_zero(count: &i64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bought(source: &str, amount: &str, currency: &str) -> Counted {
        Counted {
            cell: Cell { app_id: "a".into(), day: "2026-11-22".into(), media_source: source.into(), ..Cell::default() },
            metric: Metric::Event,
            revenue: Some((Micros::parse(amount).unwrap(), Currency::parse(currency).unwrap())),
        }
    }

    #[test]
    fn a_truth_survives_its_file() {
        let mut tally = Tally::default();
        for counted in [bought("x", "1.50", "USD"), bought("x", "-0.50", "USD"), bought("y", "2", "EUR")] {
            tally.add(&counted);
        }
        tally.expect_delivery("rule");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.json");
        let truth = tally.truth(7, Time::from_trusted_millis(1_795_342_272_345));
        truth.write(&path).unwrap();
        assert_eq!(Truth::read(&path).unwrap(), truth);
        assert_eq!(truth.totals().events, 3);
        assert_eq!(truth.totals().revenue["USD"].to_string(), "1.00");
        assert_eq!(truth.rows.len(), 2);
    }

    #[test]
    fn a_day_is_utc() {
        assert_eq!(day(Time::parse("2026-11-22T23:30:00-02:00").unwrap()), "2026-11-23");
    }
}
