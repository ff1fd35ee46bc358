//! What the counters must be: the fold of the topics, computed with nothing of the services.

use std::collections::{BTreeMap, BTreeSet};

use event::topic;
use serde_json::Value;

use crate::log::{self, Record};
use crate::truth::ORGANIC;

/// The topics, read whole.
pub(crate) struct Logs {
    pub(crate) activity: Vec<Record>,
    pub(crate) installs: Vec<Record>,
    pub(crate) events: Vec<Record>,
    pub(crate) postbacks: Vec<Record>,
    /// Dead letters, by the topic that they come from.
    pub(crate) dead: BTreeMap<&'static str, Vec<Record>>,
}

/// Counts by metric and media source; revenue in hundredths.
pub(crate) type Counts = BTreeMap<(&'static str, String), i64>;

impl Logs {
    pub(crate) fn read(brokers: &str) -> Result<Self, String> {
        let mut dead = BTreeMap::new();
        for topic in [topic::ACTIVITY, topic::INSTALLS, topic::EVENTS] {
            dead.insert(topic, log::read(brokers, &format!("{topic}.dead"))?);
        }
        Ok(Self {
            activity: log::read(brokers, topic::ACTIVITY)?,
            installs: log::read(brokers, topic::INSTALLS)?,
            events: log::read(brokers, topic::EVENTS)?,
            postbacks: log::read(brokers, topic::POSTBACKS)?,
            dead,
        })
    }

    /// What `reports` must answer.
    pub(crate) fn fold(&self) -> Counts {
        let mut counts = Counts::new();
        let mut seen = BTreeSet::new();
        for touch in readable(&self.activity) {
            let metric = match text(touch, "kind").as_str() {
                "click" => "clicks",
                "impression" => "impressions",
                _ => continue,
            };
            if seen.insert(text(touch, "event_id")) {
                *counts.entry((metric, text(touch, "media_source"))).or_default() += 1;
            }
        }
        for install in readable(&self.installs) {
            *counts.entry(("installs", earned(install))).or_default() += 1;
        }
        for event in readable(&self.events) {
            let metric = if event["kind"] == "session" { "sessions" } else { "events" };
            *counts.entry((metric, earned(event))).or_default() += 1;
            if let Some(revenue) = event["revenue"].as_str() {
                *counts.entry(("revenue", earned(event))).or_default() += hundredths(revenue);
            }
        }
        counts
    }
}

/// What `reports` does answer.
pub(crate) fn answered(answer: &Value) -> Counts {
    let mut counts = Counts::new();
    for row in answer["rows"].as_array().into_iter().flatten() {
        let source = text(row, "media_source");
        for metric in ["installs", "events", "sessions", "clicks", "impressions"] {
            match row[metric].as_i64() {
                None | Some(0) => {}
                Some(count) => drop(counts.insert((metric, source.clone()), count)),
            }
        }
        if let Some(revenue) = row["revenue"]["USD"].as_str() {
            counts.insert(("revenue", source), hundredths(revenue));
        }
    }
    counts
}

/// Those that a service can read: they are JSON, and their time is one.
pub(crate) fn readable(records: &[Record]) -> impl Iterator<Item = &Value> {
    records.iter().filter_map(|record| record.value.as_ref()).filter(|value| value["event_time"] != "yesterday")
}

/// The coordinates of the others.
pub(crate) fn unreadable(records: &[Record]) -> BTreeSet<(i32, i64)> {
    let is_broken = |record: &&Record| record.value.as_ref().is_none_or(|value| value["event_time"] == "yesterday");
    records.iter().filter(is_broken).map(|record| record.place).collect()
}

pub(crate) fn earned(record: &Value) -> String {
    record["attribution"]["media_source"].as_str().unwrap_or(ORGANIC).to_owned()
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn hundredths(decimal: &str) -> i64 {
    let (whole, part) = decimal.split_once('.').unwrap_or((decimal, ""));
    let part = format!("{part:0<2}");
    whole.parse::<i64>().unwrap() * 100 + part[..2].parse::<i64>().unwrap()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_without_a_difference_is_the_fold() {
        let record = |value: Value| Record { place: (0, 0), value: Some(value), headers: BTreeMap::new() };
        let click = json!({ "kind": "click", "event_id": "c", "media_source": "acme", "event_time": 1 });
        let buy =
            json!({ "kind": "event", "event_time": 1, "revenue": "1.25", "attribution": {"media_source": "acme"} });
        let logs = Logs {
            activity: vec![record(click.clone()), record(click)],
            installs: vec![record(json!({ "event_time": 1 })), record(json!({ "event_time": "yesterday" }))],
            events: vec![record(buy.clone()), record(buy)],
            postbacks: Vec::new(),
            dead: BTreeMap::new(),
        };
        let rows = json!([{ "media_source": "acme", "clicks": 1, "installs": 0, "events": 2, "revenue": {"USD": "2.50"} },
                          { "media_source": "organic", "installs": 1, "revenue": {} }]);
        assert_eq!(answered(&json!({ "rows": rows })), logs.fold());
        assert_eq!(unreadable(&logs.installs).len(), 1);
    }
}
