//! What must come out of a prefix of `activity`, however it was reached.

use std::collections::{BTreeMap, BTreeSet};

use event::{Activity, topic};
use serde_json::Value;
use stream::Outgoing;

use super::backbone::Backbone;
use super::kafka::Event;
use super::schedule::Entry;
use super::{HOLD, PARTITIONS};
use crate::world::header;
use crate::{History, Rules, Touch, decide};

/// A record that goes out, by the offset of its source.
#[derive(Debug, PartialEq)]
enum Due {
    Install(usize),
    /// With the attribution of the install at this offset; pending where there is none.
    Event(usize, Option<usize>),
}

/// More touches than these that came after the hold are too many to try each selection.
const MOST_LATE: usize = 6;

/// One partition, read in order by nobody who ever fails: an event id counts once, an install id is decided once.
fn fold(events: &[Event]) -> Vec<Due> {
    let (mut seen, mut decided, mut due) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
    for (offset, event) in events.iter().enumerate() {
        match event.entry {
            Entry::Install { event_id, install_id, .. } => {
                if seen.insert(event_id) && !decided.contains_key(&install_id) {
                    decided.insert(install_id, offset);
                    due.push(Due::Install(offset));
                }
            }
            Entry::Event { event_id, install_id } => {
                if seen.insert(event_id) {
                    due.push(Due::Event(offset, decided.get(&install_id).copied()));
                }
            }
            Entry::Click { .. } | Entry::Garbage => {}
        }
    }
    due
}

impl Backbone {
    /// The invariant: what is published equals the fold of what lies below the committed offset; nothing is lost or doubled.
    pub(super) fn check_published(&self) -> Result<(), String> {
        for id in 0..PARTITIONS {
            let below = usize::try_from(self.kafka.committed[id]).unwrap();
            let due = fold(&self.kafka.activity[id][..below]);
            for topic in [topic::INSTALLS, topic::EVENTS] {
                let is_here = |each: &&Due| matches!(each, Due::Install(_)) == (topic == topic::INSTALLS);
                let expected: Vec<_> = due.iter().filter(is_here).map(|each| source(id, each.offset())).collect();
                let published: Vec<_> = self.kafka.published(topic, id).map(|record| header(record, "src")).collect();
                if published != expected {
                    return Err(format!("{topic}/{id} holds {published:?}, and {expected:?} was due below {below}"));
                }
            }
        }
        Ok(())
    }

    /// At the end: every decision is the one that a run without any lag would have made.
    pub(super) fn check_decisions(&mut self) -> Result<(), String> {
        for id in 0..PARTITIONS {
            let due = fold(&self.kafka.activity[id]);
            self.note_dropped(id, &due);
            let installs: BTreeMap<String, Value> =
                self.kafka.published(topic::INSTALLS, id).map(attribution).collect();
            for (source, attribution) in &installs {
                let offset: usize = source.rsplit('/').next().unwrap().parse().unwrap();
                self.check_decision(&self.kafka.activity[id][offset], attribution)
                    .map_err(|why| format!("{source}: {why}"))?;
            }
            let events: BTreeMap<String, Value> = self.kafka.published(topic::EVENTS, id).map(attribution).collect();
            for each in due {
                let Due::Event(offset, install) = each else { continue };
                let found = &events[&source(id, offset)];
                let is_right = match install {
                    Some(install) => *found == installs[&source(id, install)],
                    None => found["status"] == "pending",
                };
                if !is_right {
                    return Err(format!("{} has not the attribution of its install: {found}", source(id, offset)));
                }
            }
        }
        Ok(())
    }

    fn note_dropped(&mut self, partition: usize, due: &[Due]) {
        let goes_out = |offset| due.iter().any(|each| each.offset() == offset);
        for (offset, event) in self.kafka.activity[partition].iter().enumerate() {
            self.reached.note(match (event.entry, goes_out(offset)) {
                (Entry::Install { .. }, true) => "install decided",
                (Entry::Install { .. }, false) => "repeated install dropped",
                (Entry::Event { .. }, true) => "event published",
                (Entry::Event { .. }, false) => "repeated event dropped",
                (Entry::Click { .. }, _) => "click",
                (Entry::Garbage, _) => "garbage",
            });
        }
        for each in due {
            if let Due::Event(_, Some(_)) = each {
                self.reached.note("event with the attribution of its install");
            }
        }
    }

    /// Every touch that was appended before the hold ended must have had its say; a later one may have.
    fn check_decision(&self, install: &Event, published: &Value) -> Result<(), String> {
        let rules = Rules::default();
        let hold_ends = install.at + i64::try_from(HOLD.as_millis()).unwrap();
        let (mut in_time, mut late) = (Vec::new(), Vec::new());
        for event in self.kafka.activity.iter().flatten() {
            let Entry::Click { .. } = event.entry else { continue };
            let activity: Activity<'_> = serde_json::from_str(&event.payload).unwrap();
            let touch = Touch::of(&activity, &rules).unwrap();
            // A clock that is ahead makes the hold shorter: then a touch may come too late, but nothing is lost or doubled.
            let is_in_time = event.at < hold_ends && !self.was_ahead;
            let touch = serde_json::to_string(&touch).unwrap();
            if is_in_time { in_time.push(touch) } else { late.push(touch) }
        }
        if late.len() > MOST_LATE {
            return Ok(());
        }
        let activity: Activity<'_> = serde_json::from_str(&install.payload).unwrap();
        for selection in 0..1_usize << late.len() {
            let selected = late.iter().enumerate().filter(|(number, _)| selection >> number & 1 == 1);
            let touches: Vec<Touch<'_>> = in_time
                .iter()
                .chain(selected.map(|(_, touch)| touch))
                .map(|touch| serde_json::from_str(touch).unwrap())
                .collect();
            let decision = decide(&activity, &touches, &History::default(), &rules);
            if serde_json::to_value(&decision.attribution).unwrap() == *published {
                return Ok(());
            }
        }
        Err(format!("no selection of touches leads to {published}"))
    }
}

impl Due {
    fn offset(&self) -> usize {
        match self {
            Self::Install(offset) | Self::Event(offset, _) => *offset,
        }
    }
}

fn source(partition: usize, offset: usize) -> String {
    format!("{}/{partition}/{offset}", topic::ACTIVITY)
}

fn attribution(record: &Outgoing) -> (String, Value) {
    let mut payload: Value = serde_json::from_slice(&record.payload).unwrap();
    (header(record, "src"), payload["attribution"].take())
}
