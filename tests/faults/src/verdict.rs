//! The verdict: what was lost, what came twice, what is wrong. Empty lists mean that the promise held.

use std::collections::{BTreeMap, BTreeSet};

use event::topic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use testkit::Hit;

use crate::fold::{Counts, Logs, earned, readable, text, unreadable};
use crate::log::Record;
use crate::truth::{Fate, ORGANIC, Truth};

#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Verdict {
    pub(crate) lost: Vec<String>,
    pub(crate) double: Vec<String>,
    pub(crate) wrong: Vec<String>,
    /// Requests that a network had answered with 2xx before, and that said so.
    pub(crate) repeats: usize,
}

/// What `reports` was asked, and what arrived at the networks.
pub(crate) struct Outside<'a> {
    pub(crate) counts: &'a Counts,
    pub(crate) hits: &'a [Hit],
    /// Whether deliveries are judged: not where a row lets networks refuse for good.
    pub(crate) deliveries: bool,
}

/// Which services refuse the records of a topic that nobody can read. Attribution reads of an install only what it needs.
const READERS: [(&str, &[&str]); 3] = [
    (topic::ACTIVITY, &["attribution", "reports"]),
    (topic::INSTALLS, &["reports", "postbacks"]),
    (topic::EVENTS, &["reports", "postbacks"]),
];

impl Verdict {
    pub(crate) fn of(truth: &Truth, logs: &Logs, outside: &Outside<'_>) -> Self {
        let mut verdict = Self::default();
        verdict.judge_acknowledged(truth, logs);
        verdict.judge_installs(truth, logs);
        verdict.judge_events(logs);
        verdict.judge_counts(&logs.fold(), outside.counts);
        verdict.judge_letters(logs);
        if outside.deliveries {
            verdict.judge_deliveries(logs, outside.hits);
        }
        verdict
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.double.is_empty() && self.wrong.is_empty()
    }

    /// No more came again than can have been in flight when a process died.
    pub(crate) fn judge_repeats(&mut self, allowed: usize) {
        if self.repeats > allowed {
            self.double.push(format!("{} deliveries came again; at most {allowed} were in flight", self.repeats));
        }
    }

    fn judge_acknowledged(&mut self, truth: &Truth, logs: &Logs) {
        let there: BTreeSet<String> = readable(&logs.activity).map(|event| text(event, "event_id")).collect();
        let stored = truth.fates.iter().filter(|(_, fate)| **fate == Fate::Stored);
        self.lost.extend(stored.filter(|(id, _)| !there.contains(*id)).map(|(id, _)| format!("{id} was acknowledged")));
    }

    /// Every install of `activity` has one decision, and it is the right one.
    fn judge_installs(&mut self, truth: &Truth, logs: &Logs) {
        let asked = ids(&logs.activity, &["install"], "install_id");
        let mut decided: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for install in readable(&logs.installs) {
            decided.entry(text(install, "install_id")).or_default().push(install);
        }
        for id in &asked {
            match decided.get(id).map(Vec::as_slice) {
                None => self.lost.push(format!("{id} was never decided")),
                Some([install]) => {
                    let (found, right) = (earned(install), truth.earned.get(id).copied().unwrap_or(ORGANIC));
                    if found != right {
                        self.wrong.push(format!("{id} was earned by {right}, not by {found}"));
                    }
                }
                Some(several) => self.double.push(format!("{id} was decided {} times", several.len())),
            }
        }
        let invented = decided.keys().filter(|id| !asked.contains(*id));
        self.wrong.extend(invented.map(|id| format!("{id} was decided and never sent")));
    }

    fn judge_events(&mut self, logs: &Logs) {
        let asked = ids(&logs.activity, &["event", "session"], "event_id");
        let mut published: BTreeMap<String, usize> = BTreeMap::new();
        for event in readable(&logs.events) {
            *published.entry(text(event, "event_id")).or_default() += 1;
        }
        let lost = asked.iter().filter(|id| !published.contains_key(*id));
        self.lost.extend(lost.map(|id| format!("{id} was never published")));
        let invented = published.keys().filter(|id| !asked.contains(*id));
        self.wrong.extend(invented.map(|id| format!("{id} was published and never sent")));
        let double = published.iter().filter(|(_, times)| **times > 1);
        self.double.extend(double.map(|(id, times)| format!("{id} was published {times} times")));
    }

    fn judge_counts(&mut self, right: &Counts, found: &Counts) {
        let keys: BTreeSet<_> = right.keys().chain(found.keys()).collect();
        for key in keys {
            let [right, found] = [right, found].map(|counts| counts.get(key).copied().unwrap_or_default());
            if right != found {
                self.wrong.push(format!("{} of {}: reports says {found}, the log holds {right}", key.0, key.1));
            }
        }
    }

    /// Each reader has refused exactly what cannot be read.
    fn judge_letters(&mut self, logs: &Logs) {
        for (topic, services) in READERS {
            let records = match topic {
                topic::ACTIVITY => &logs.activity,
                topic::INSTALLS => &logs.installs,
                _ => &logs.events,
            };
            let broken = unreadable(records);
            for service in services {
                let letters =
                    logs.dead[topic].iter().filter(|letter| header(letter, stream::HEADER_SERVICE) == *service);
                let refused: BTreeSet<(i32, i64)> = letters.filter_map(place).collect();
                let count = |places: &mut dyn Iterator<Item = &(i32, i64)>| places.count();
                let missing = count(&mut broken.difference(&refused));
                if missing > 0 {
                    self.lost
                        .push(format!("{missing} refused records of {topic} are not among the letters of {service}"));
                }
                let good = count(&mut refused.difference(&broken));
                if good > 0 {
                    self.wrong.push(format!("{service} refused {good} good records of {topic}"));
                }
            }
        }
    }

    /// Each attributed install was told to its network, recorded once, and requested again only where that is said.
    fn judge_deliveries(&mut self, logs: &Logs, hits: &[Hit]) {
        let earned_by_somebody = readable(&logs.installs).filter(|install| earned(install) != ORGANIC);
        let due: BTreeSet<String> = earned_by_somebody.map(|install| text(install, "event_id")).collect();
        let (mut told, mut flagged): (BTreeMap<String, usize>, BTreeSet<String>) = Default::default();
        // The answer did not come, the request may have: each such attempt explains one more arrival.
        let mut unanswered: BTreeMap<String, usize> = BTreeMap::new();
        let mut delivered: BTreeMap<String, usize> = BTreeMap::new();
        for attempt in readable_attempts(&logs.postbacks) {
            let id = text(attempt, "delivery_id");
            if matches!(attempt["class"].as_str(), Some("timeout" | "connect_reset")) {
                *unanswered.entry(id.clone()).or_default() += 1;
            }
            if attempt["outcome"] == "delivered" {
                // A flag stays: what an earlier attempt says does not excuse this one.
                if attempt["possibly_repeated"] == true {
                    flagged.insert(id.clone());
                }
                *delivered.entry(id).or_default() += 1;
                *told.entry(text(attempt, "event_id")).or_default() += 1;
            }
        }
        let lost = due.iter().filter(|id| !told.contains_key(*id));
        self.lost.extend(lost.map(|id| format!("{id} was never told")));
        let twice = delivered.iter().filter(|(_, times)| **times > 1);
        self.double.extend(twice.map(|(id, times)| format!("delivery {id} was recorded {times} times")));
        let mut accepted: BTreeMap<&str, usize> = BTreeMap::new();
        for hit in hits.iter().filter(|hit| (200..300).contains(&hit.status)) {
            *accepted.entry(hit.headers.get("webhook-id").map_or("", String::as_str)).or_default() += 1;
        }
        let unheard = delivered.keys().filter(|id| !accepted.contains_key(id.as_str()));
        self.wrong.extend(unheard.map(|id| format!("delivery {id} was recorded and never arrived")));
        for (id, times) in accepted.iter().filter(|(_, times)| **times > 1) {
            if flagged.contains(*id) {
                self.repeats += 1;
            } else if *times > 1 + unanswered.get(*id).copied().unwrap_or_default() {
                self.double.push(format!("delivery {id} arrived again and does not say so"));
            }
        }
    }
}

/// Those of topic `postbacks` have no event time of their own.
fn readable_attempts(records: &[Record]) -> impl Iterator<Item = &Value> {
    records.iter().filter_map(|record| record.value.as_ref())
}

fn ids(records: &[Record], kinds: &[&str], field: &str) -> BTreeSet<String> {
    let of_kind = |event: &&Value| kinds.contains(&event["kind"].as_str().unwrap_or_default());
    readable(records).filter(of_kind).map(|event| text(event, field)).collect()
}

fn header(letter: &Record, name: &str) -> String {
    letter.headers.get(name).cloned().unwrap_or_default()
}

/// Where the refused record stands.
fn place(letter: &Record) -> Option<(i32, i64)> {
    let number = |name: &str| header(letter, name).parse::<i64>().ok();
    Some((i32::try_from(number(stream::HEADER_PARTITION)?).ok()?, number(stream::HEADER_OFFSET)?))
}

#[cfg(test)]
mod tests;
