//! For tests: one partition, and the three stages around an index in memory.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use event::Activity;
use serde_json::Value;
use stream::{Offset, Outgoing, Partition};

use crate::arrival::{Arrival, check};
use crate::ends::Ends;
use crate::known::Known;
use crate::outcome::{Outcome, decide_batch};
use crate::questions::{Answers, Questions};
use crate::recent::Recent;
use crate::record;
use crate::remember::{Entry, entry};
use crate::rules::Rules;

/// The moment of every install that says nothing else.
pub(crate) const INSTALLED: i64 = 1_795_342_272_345;
pub(crate) const DAY: i64 = 86_400_000;

#[derive(Default)]
pub(crate) struct World {
    pub(crate) rules: Rules,
    log: Vec<String>,
    touches: HashMap<String, Vec<Vec<u8>>>,
    first_seen: HashMap<String, Offset>,
    recorded: HashMap<String, Arc<Known>>,
    recent: Recent,
}

impl World {
    /// A log that `remember` has read to its end.
    pub(crate) fn of(log: impl IntoIterator<Item = String>) -> Self {
        let mut world = Self::default();
        world.session(1);
        for record in log {
            world.append(record);
        }
        world
    }

    pub(crate) fn append(&mut self, record: String) {
        self.log.push(record);
        let last = self.log.len() - 1;
        for arrival in arrivals(&self.log, last..last + 1) {
            match entry(&arrival, &self.rules, Duration::from_secs(60)).unwrap() {
                Entry::Touch { keys, member, .. } => {
                    for key in keys {
                        self.touches.entry(key).or_default().push(member.clone());
                    }
                }
                Entry::FirstSeen { key, offset, .. } => {
                    self.first_seen.entry(key).or_insert(Offset(offset));
                }
            }
        }
    }

    pub(crate) fn session(&mut self, session: u64) {
        self.recent.begin(session, || Ok(Ends::default())).unwrap();
    }

    /// Decides a part of the log as one batch, and keeps what it decided as the handler does.
    pub(crate) fn decide(&mut self, batch: Range<usize>) -> Vec<Outgoing> {
        let outcome = self.outcome(batch);
        assert_eq!(outcome.refused, []);
        self.recent.add(0, outcome.decided);
        outcome.records
    }

    pub(crate) fn decide_all(&mut self) -> Vec<Outgoing> {
        self.decide(0..self.log.len())
    }

    pub(crate) fn outcome(&self, batch: Range<usize>) -> Outcome {
        let arrivals = arrivals(&self.log, batch);
        let mut questions = Questions::default();
        for arrival in &arrivals {
            questions.add(&arrival.activity);
        }
        let mut answers = self.answers(&questions);
        self.recent.complete(0, &mut answers, &questions);
        decide_batch(&Partition::new("activity", 0), &arrivals, &answers, &self.rules).unwrap()
    }

    /// Lets `record` read what was published.
    pub(crate) fn record(&mut self, published: &[Outgoing]) {
        for install in published.iter().filter(|record| &*record.topic == event::topic::INSTALLS) {
            let decided = serde_json::from_slice(&install.payload).unwrap();
            let (key, known) = record::entry(&decided, header(install, "src")).unwrap();
            self.recorded.entry(key).or_insert(Arc::new(known));
        }
    }

    /// So much later that every touch is forgotten.
    pub(crate) fn forget_touches(&mut self) {
        self.touches.clear();
    }

    fn answers(&self, questions: &Questions) -> Answers {
        fn those<T: Clone>(all: &HashMap<String, T>, asked: impl Fn(&str) -> bool) -> HashMap<String, T> {
            all.iter().filter(|(key, _)| asked(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
        }
        Answers {
            touches: those(&self.touches, |key| questions.touches.contains(key)),
            first_seen: those(&self.first_seen, |key| questions.first_seen.contains(key)),
            decisions: those(&self.recorded, |key| questions.decisions.contains(key)),
        }
    }
}

fn arrivals(log: &[String], batch: Range<usize>) -> Vec<Arrival<'_>> {
    let arrival = |offset: usize| {
        let activity: Activity = serde_json::from_str(&log[offset]).unwrap();
        let (key, members) = check(Some(b"game|d"), log[offset].as_bytes(), &activity).unwrap();
        Arrival { offset: Offset(offset.try_into().unwrap()), appended_at: INSTALLED, key, members, activity }
    };
    batch.map(arrival).collect()
}

pub(crate) fn header(record: &Outgoing, name: &str) -> String {
    let (_, value) = record.headers.iter().find(|(found, _)| found == name).unwrap();
    String::from_utf8(value.clone().unwrap()).unwrap()
}

/// An activity of the app `game`, with more fields or other values for them.
pub(crate) fn activity(kind: &str, id: &str, more: Value) -> String {
    let mut activity = serde_json::json!({
        "event_id": id, "kind": kind, "app_id": "game", "event_time": INSTALLED, "device": { "oaid": "device" }
    });
    let fields = activity.as_object_mut().unwrap();
    if matches!(kind, "click" | "impression") {
        fields.insert("media_source".into(), "acme".into());
    }
    let Value::Object(more) = more else { panic!("not an object: {more}") };
    fields.extend(more);
    activity.to_string()
}

/// A touch that lies so many milliseconds before the install.
pub(crate) fn touch(kind: &str, id: &str, age: i64, mut more: Value) -> String {
    more["event_time"] = (INSTALLED - age).into();
    activity(kind, id, more)
}

/// What went out, in a line: `i: c +2` is install i, earned by touch c, with two contributors.
pub(crate) fn summary(record: &Outgoing) -> String {
    let value: Value = serde_json::from_slice(&record.payload).unwrap();
    let attribution = &value["attribution"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut line = format!("{}: ", text(&value["event_id"]));
    match attribution["status"].as_str().unwrap() {
        "attributed" => line += &text(&attribution["touch_id"]),
        other => line += other,
    }
    if let Some(reason) = attribution["reason"].as_str() {
        line += &format!(" ({reason})");
    }
    if let Some(contributors) = attribution["contributors"].as_array() {
        line += &format!(" +{}", contributors.len());
    }
    line
}
