//! What was produced, so that every round can be checked against it.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::record::{APPS, Form, Install, app_id};

/// What the topic holds.
pub(crate) struct Truth {
    pub(crate) topic: &'static str,
    pub(crate) records: u64,
    pub(crate) malformed: u64,
    pub(crate) bytes: u64,
    /// On Kafka's disk.
    pub(crate) disk_bytes: u64,
    /// The sum of the event times in milliseconds.
    pub(crate) times: i128,
    /// Of activities, how many installs each source earned.
    pub(crate) earned: BTreeMap<String, u64>,
    /// By app, installs of each counter: hour, media source, campaign, country.
    apps: [HashMap<[u8; 4], u64>; APPS],
}

/// Between the values in a field of the peers.
pub(crate) const VALUES: &str = "|";
/// By hour, media source, campaign and country: all that a day of one app is counted by in the bench.
pub(crate) const GROUPS: [&str; 4] = ["hour", "media_source", "campaign", "country"];

impl Truth {
    /// Of a topic that holds nothing yet.
    pub(crate) fn of(topic: &'static str) -> Self {
        let (apps, earned) = (Default::default(), BTreeMap::new());
        Self { topic, records: 0, malformed: 0, bytes: 0, disk_bytes: 0, times: 0, earned, apps }
    }

    /// One record, which is counted by nothing.
    pub(crate) fn note(&mut self, bytes: usize, millis: i64) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.times += i128::from(millis);
    }

    pub(crate) fn count(&mut self, install: &Install, bytes: usize, form: Form) {
        self.records += 1;
        self.bytes += bytes as u64;
        if form == Form::Malformed {
            self.malformed += 1;
            return;
        }
        self.times += i128::from(install.millis());
        *self.apps[install.app].entry(install.counter()).or_default() += 1;
    }

    /// How many counters there are.
    pub(crate) fn counters(&self) -> usize {
        self.apps.iter().map(HashMap::len).sum()
    }

    /// Every counter of one app: hour, media source, campaign, country.
    pub(crate) fn counters_of(&self, app: usize) -> impl Iterator<Item = ([String; 4], u64)> {
        self.apps[app].iter().map(|(counter, count)| (Install::words(*counter), *count))
    }

    /// What the peers count of one app: by media source and country.
    pub(crate) fn by_source_and_country(&self, app: usize) -> BTreeMap<[String; 2], u64> {
        let mut sums = BTreeMap::new();
        for ([_, source, _, country], count) in self.counters_of(app) {
            *sums.entry([source, country]).or_default() += count;
        }
        sums
    }

    /// How many counters the peers keep.
    pub(crate) fn peers_counters(&self) -> usize {
        (0..APPS).map(|app| self.by_source_and_country(app).len()).sum()
    }

    /// Whether an answer of `/v1/stats` about one app, grouped by `GROUPS`, is right to the last counter.
    pub(crate) fn check(&self, app: usize, answer: &Value) -> anyhow::Result<()> {
        let counters = &self.apps[app];
        let rows = answer["rows"].as_array().context("an answer has rows")?;
        let mut found = HashMap::new();
        for row in rows {
            let words: Vec<&str> = GROUPS.iter().filter_map(|group| row[group].as_str()).collect();
            found.insert(words, row["installs"].as_u64());
        }
        ensure!(
            found.len() == counters.len(),
            "wrong count: {} has {} counters, but {} were found",
            app_id(app),
            counters.len(),
            found.len()
        );
        for (words, count) in self.counters_of(app) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let seen = found.get(&words).copied().flatten();
            ensure!(seen == Some(count), "wrong count: {} {words:?} is {count}, but {seen:?} was found", app_id(app));
        }
        Ok(())
    }
}
