//! Counts installs once more, from the topic alone, to compare with what reports answers for one partition.

use std::collections::{BTreeMap, BTreeSet};

use event::{Conversion, Earned, Install, Platform, Text, Time, topic};
use stream::tail::Stored;

use crate::audit::question::{Answered, Cell, Counts};

/// The counts of some partitions, up to the position of each answer.
pub(crate) struct Fold {
    /// By partition: what reports answered for each app, and what the topic says so far.
    answers: BTreeMap<i32, Vec<Comparison>>,
    /// By partition: where reports stood before it was asked which apps there are.
    listed_at: BTreeMap<i32, i64>,
    days: std::ops::RangeInclusive<i64>,
    /// Apps that were counted and that reports does not list, by partition.
    unlisted: BTreeMap<i32, BTreeSet<String>>,
}

struct Comparison {
    answer: Answered,
    expected: BTreeMap<Cell, Counts>,
}

/// A count that is not what the topic says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Miscount {
    pub what: String,
    pub expected: String,
    pub found: String,
}

impl Fold {
    pub(crate) fn new(
        answers: Vec<Answered>,
        listed_at: BTreeMap<i32, i64>,
        days: std::ops::RangeInclusive<i64>,
    ) -> Self {
        let mut by_partition: BTreeMap<i32, Vec<Comparison>> = BTreeMap::new();
        for answer in answers {
            let expected = BTreeMap::new();
            by_partition.entry(answer.partition).or_default().push(Comparison { answer, expected });
        }
        Self { answers: by_partition, listed_at, days, unlisted: BTreeMap::new() }
    }

    /// Adds a record, if it is an install that one of the answers must hold.
    pub(crate) fn add(&mut self, record: &Stored) {
        let (id, offset) = (record.partition.id, record.offset.0);
        let Some(answers) = self.answers.get_mut(&id).filter(|_| *record.partition.topic == *topic::INSTALLS) else {
            return;
        };
        // What does not decode is a dead letter, and counted with those.
        let Some(install) = install(record.payload.as_deref().unwrap_or_default()) else { return };
        let day = install.event_time.day();
        if !self.days.contains(&day) {
            return;
        }
        let app = install.app_id.as_str();
        let mut is_listed = false;
        for Comparison { answer, expected } in answers.iter_mut().filter(|each| each.answer.app == app) {
            is_listed = true;
            if answer.test == install.test && (answer.from..answer.position).contains(&offset) {
                count(expected, &install, install.current(), 1);
                if let Some(previous) = install.previous() {
                    count(expected, &install, previous, -1);
                }
            }
        }
        if !is_listed && self.listed_at.get(&id).is_some_and(|&position| offset < position) {
            self.unlisted.entry(id).or_default().insert(app.to_owned());
        }
    }

    /// The partitions that were folded, each with the lowest offset that its counts rest on.
    pub(crate) fn partitions(&self) -> BTreeMap<i32, i64> {
        let lowest = |answers: &Vec<Comparison>| answers.iter().map(|each| each.answer.from).min().unwrap_or_default();
        self.answers.iter().map(|(&partition, answers)| (partition, lowest(answers))).collect()
    }

    /// Every count of a partition that differs.
    pub(crate) fn miscounts(&self, partition: i32) -> Vec<Miscount> {
        let mut found = Vec::new();
        for Comparison { answer, expected } in self.answers.get(&partition).into_iter().flatten() {
            let cells: BTreeSet<&Cell> = expected.keys().chain(answer.rows.keys()).collect();
            for cell in cells {
                let none = Counts::default();
                let (expected, answered) =
                    (expected.get(cell).unwrap_or(&none), answer.rows.get(cell).unwrap_or(&none));
                if expected != answered {
                    let what = format!("{}{} {cell}", answer.app, if answer.test { " (test)" } else { "" });
                    found.push(Miscount { what, expected: expected.to_string(), found: answered.to_string() });
                }
            }
        }
        let unlisted = self.unlisted.get(&partition).into_iter().flatten();
        found.extend(unlisted.map(|app| Miscount {
            what: app.clone(),
            expected: "an app that reports lists".into(),
            found: "none".into(),
        }));
        found
    }
}

fn install(payload: &[u8]) -> Option<Install<'_>> {
    let event = match payload {
        [0, _, _, _, _, event @ ..] => event, // a schema registry's frame
        bare => bare,
    };
    serde_json::from_slice(event).ok()
}

fn count(counts: &mut BTreeMap<Cell, Counts>, install: &Install<'_>, earned: &Earned<'_>, by: i64) {
    let cell = Cell {
        day: date(install.event_time),
        media_source: earned.media_source.as_str().to_owned(),
        campaign: earned.campaign.as_ref().map_or("", Text::as_str).to_owned(),
        country: install.country.as_ref().map_or("", Text::as_str).to_owned(),
        platform: install.platform.map_or("", Platform::as_str).to_owned(),
    };
    let counts = counts.entry(cell).or_default();
    match earned.conversion {
        Conversion::Install => counts.installs += by,
        Conversion::Reinstall | Conversion::Reattribution | Conversion::Reengagement => counts.reinstalls += by,
    }
}

fn date(time: Time) -> String {
    time.to_string().split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use stream::{Offset, Partition};

    use super::*;

    const MOMENT: &str = "2026-11-22T10:00:00Z";

    fn day() -> i64 {
        Time::parse(MOMENT).unwrap().day()
    }

    fn cell(media_source: &str) -> Cell {
        Cell { day: "2026-11-22".into(), media_source: media_source.into(), ..Cell::default() }
    }

    fn answered(rows: &[(&str, i64)]) -> Answered {
        let rows = rows.iter().map(|(source, installs)| (cell(source), Counts { installs: *installs, reinstalls: 0 }));
        Answered { partition: 3, app: "game".into(), test: false, from: 0, position: 10, rows: rows.collect() }
    }

    fn record(offset: i64, payload: &str) -> Stored {
        Stored {
            partition: Partition::new("installs", 3),
            offset: Offset(offset),
            key: None,
            payload: Some(payload.as_bytes().to_vec()),
            headers: Vec::new(),
            timestamp: 0,
        }
    }

    fn install(app: &str, attribution: &str) -> String {
        format!(r#"{{"event_id":"e","app_id":"{app}","event_time":"{MOMENT}","attribution":{attribution}}}"#)
    }

    fn fold(answer: Answered, records: &[Stored]) -> Fold {
        let mut fold = Fold::new(vec![answer], BTreeMap::from([(3, 9)]), day() - 1..=day());
        records.iter().for_each(|record| fold.add(record));
        fold
    }

    #[test]
    fn the_fold_of_the_prefix_equals_the_answer_and_nothing_beyond_counts() {
        let acme = install("game", r#"{"media_source":"acme"}"#);
        let moved = r#"{"media_source":"acme","correction":true,"previous":{"media_source":"other"}}"#;
        let records = [
            record(0, &install("game", "{}")),
            record(1, &acme),
            record(2, &install("game", r#"{"media_source":"other"}"#)),
            record(3, "no json"),
            record(4, &format!("\0\0\0\0\u{1}{acme}")),
            record(5, &acme.replace(r#""event_id""#, r#""test":true,"event_id""#)),
            record(6, &acme.replace("2026-11-22", "2025-11-22")),
            record(7, &install("game", moved)),
            record(10, &acme),
        ];
        let fold = fold(answered(&[("acme", 3), ("organic", 1)]), &records);
        assert_eq!(fold.miscounts(3), []);
        assert_eq!(fold.partitions(), BTreeMap::from([(3, 0)]));
    }

    #[test]
    fn what_differs_is_named_with_both_numbers() {
        let fold =
            fold(answered(&[("acme", 2), ("ghost", 1)]), &[record(0, &install("game", r#"{"media_source":"acme"}"#))]);
        let shown: Vec<_> =
            fold.miscounts(3).into_iter().map(|found| (found.what, found.expected, found.found)).collect();
        let expected = [
            ("game 2026-11-22 acme", "1 installs", "2 installs"),
            ("game 2026-11-22 ghost", "0 installs", "1 installs"),
        ];
        assert_eq!(shown, expected.map(|(what, expected, found)| (what.into(), expected.into(), found.into())));
    }

    #[test]
    fn an_app_that_was_counted_and_is_not_listed_is_a_miscount() {
        let fold = fold(answered(&[]), &[record(8, &install("lost", "{}")), record(9, &install("new", "{}"))]);
        assert_eq!(fold.miscounts(3).into_iter().map(|found| found.what).collect::<Vec<_>>(), ["lost"]);
    }
}
