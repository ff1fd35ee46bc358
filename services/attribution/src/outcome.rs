//! From a batch and what is known to the records that go out: no I/O, no clock.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anyhow::Context as _;
use event::{Activity, Attribution, Kind, Refusal, Status, topic};
use serde_json::value::{RawValue, to_raw_value};
use stream::{Offset, Outgoing, Partition};

use crate::arrival::{Arrival, Refused};
use crate::decide::{History, decide};
use crate::keys;
use crate::known::Known;
use crate::questions::Answers;
use crate::rules::Rules;

/// What a batch leads to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) records: Vec<Outgoing>,
    /// The decisions among them, by the name under which `record` will keep them.
    pub(crate) decided: HashMap<String, Arc<Known>>,
    pub(crate) refused: Vec<Refused>,
    /// How many were dropped because their event or their install is known.
    pub(crate) repeated: u64,
}

/// Larger records do not fit into what a broker takes by default.
const LARGEST: usize = 960_000;

/// Decides the installs of a batch, in order, and hands their attribution to sessions and events.
///
/// | record | goes out |
/// |---|---|
/// | touch | no |
/// | event id seen at a lower offset | no |
/// | install that was decided from another record | no |
/// | install that was decided from this record | again, as it was |
/// | other install | with its decision |
/// | session, event | with the attribution of its install, `pending` where that is not known |
pub(crate) fn decide_batch(
    partition: &Partition,
    arrivals: &[Arrival<'_>],
    answers: &Answers,
    rules: &Rules,
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    for arrival in arrivals.iter().filter(|arrival| !arrival.activity.kind.is_touch()) {
        if answers.is_repeated(arrival) {
            outcome.repeated += 1;
            continue;
        }
        let source = format!("{partition}/{}", arrival.offset);
        // The stage cannot know which record of a gathered batch a panic came from.
        let ruling = catch_unwind(AssertUnwindSafe(|| {
            rule(arrival, &source, outcome.known(arrival, answers), (answers, rules))
        }));
        let Ok(ruling) = ruling else {
            outcome.refuse(arrival.offset, Refusal::new("handler_panicked", "the decision panicked"));
            continue;
        };
        match ruling? {
            Some(attribution) => outcome.publish(partition, arrival, Known { source, attribution }),
            None => outcome.repeated += 1,
        }
    }
    Ok(outcome)
}

/// The attribution that a record goes out with; nothing for a duplicate.
fn rule(
    arrival: &Arrival<'_>,
    source: &str,
    known: Option<Arc<Known>>,
    (answers, rules): (&Answers, &Rules),
) -> anyhow::Result<Option<Box<RawValue>>> {
    let activity = &arrival.activity;
    if activity.kind != Kind::Install {
        return known.map_or_else(pending, |known| Ok(known.attribution.clone())).map(Some);
    }
    if known.as_ref().is_some_and(|known| known.source != source) {
        return Ok(None);
    }
    let decided = known.as_ref().map(|known| serde_json::from_str(known.attribution.get())).transpose()?;
    let touches = answers.touches_for(activity)?;
    let decision = decide(activity, &touches, &History { decided }, rules);
    Ok(Some(to_raw_value(&decision.attribution)?))
}

/// Nothing was decided yet: no source, no version.
fn pending() -> anyhow::Result<Box<RawValue>> {
    to_raw_value(&Attribution { status: Status::Pending, ..Attribution::default() }).context("writing an attribution")
}

impl Outcome {
    /// What is known of the install of this record: what was decided a moment ago in the same batch comes first.
    fn known(&self, arrival: &Arrival<'_>, answers: &Answers) -> Option<Arc<Known>> {
        let key = keys::decision(&arrival.activity)?;
        self.decided.get(&key).or_else(|| answers.decisions.get(&key)).cloned()
    }

    fn publish(&mut self, partition: &Partition, arrival: &Arrival<'_>, known: Known) {
        let payload = with_attribution(arrival.members, known.attribution.get());
        if payload.len() > LARGEST {
            let message =
                format!("with its attribution the record has {} bytes, at most {LARGEST} are taken", payload.len());
            return self.refuse(arrival.offset, Refusal::new("record_too_large", message));
        }
        self.records.push(outgoing(partition, arrival, &known.source, payload));
        if arrival.activity.kind == Kind::Install
            && let Some(key) = keys::decision(&arrival.activity)
        {
            self.decided.insert(key, Arc::new(known));
        }
    }

    fn refuse(&mut self, offset: Offset, refusal: Refusal) {
        self.refused.push(Refused { offset, refusal });
    }
}

/// The record as it came, with the attribution as its first member: unknown fields pass through untouched.
fn with_attribution(members: &str, attribution: &str) -> Vec<u8> {
    let is_empty = members.trim_start().starts_with('}');
    let comma = if is_empty { "" } else { "," };
    [r#"{"attribution":"#, attribution, comma, members].concat().into_bytes()
}

fn outgoing(partition: &Partition, arrival: &Arrival<'_>, source: &str, payload: Vec<u8>) -> Outgoing {
    let Activity { kind, event_id, app_id, .. } = &arrival.activity;
    let topic = if *kind == Kind::Install { topic::INSTALLS } else { topic::EVENTS };
    Outgoing::to(topic, payload)
        .partition(partition.id)
        .key(arrival.key)
        .header("ce_id", event_id.as_str())
        .header("ce_type", format!("attributary.{topic}.{}", kind.as_str()))
        .header("ce_source", format!("/apps/{app_id}"))
        .header("ce_specversion", "1.0")
        .header("src", source)
}
