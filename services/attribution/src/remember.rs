//! The stage `remember`: what `activity` holds becomes an index of touches, and of where each event was first seen.

use std::time::Duration;

use anyhow::Context as _;
use event::Activity;
use ledger::Effects;
use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::value::RawValue;
use stream::{Batch, Record};

use crate::arrival::{Arrival, check};
use crate::keys;
use crate::rules::Rules;
use crate::touch::Touch;

/// What one record adds to the index.
#[derive(Debug, PartialEq)]
pub(crate) enum Entry {
    /// A touch, under each of these keys, ordered by its time (milliseconds). It expires in the second given.
    Touch { keys: Vec<String>, member: Vec<u8>, time: i64, expires_at: i64 },
    /// The offset of an install, session or event, unless its id was seen before.
    FirstSeen { key: String, offset: i64, keep: Duration },
}

/// The index entries of a batch; `keep` is how long an event id is remembered.
///
/// It refuses nothing: whatever it passes over, the stage `decide` refuses with the reason, and once is enough.
pub(crate) fn remember(batch: &mut Batch<'_>, rules: &Rules, keep: Duration) -> anyhow::Result<Effects> {
    let mut effects = Effects::default();
    for Record { value, offset, appended_at, key, payload, .. } in batch.decode::<Quiet<'_>>() {
        let Some(activity) = value.0 else { continue };
        let Ok((key, members)) = check(key, payload, &activity) else { continue };
        add(&mut effects, &entry(&Arrival { offset, appended_at, key, members, activity }, rules, keep)?);
    }
    batch.pass_over_refused();
    Ok(effects)
}

/// What an admitted record adds.
pub(crate) fn entry(arrival: &Arrival<'_>, rules: &Rules, keep: Duration) -> anyhow::Result<Entry> {
    if let Some(touch) = Touch::of(&arrival.activity, rules) {
        let member = serde_json::to_vec(&touch).context("writing a touch down")?;
        let (time, expires_at) = (touch.time.millis(), touch.expires_at());
        return Ok(Entry::Touch { keys: touch.keys(), member, time, expires_at });
    }
    Ok(Entry::FirstSeen { key: keys::first_seen(&arrival.activity), offset: arrival.offset.0, keep })
}

fn add(effects: &mut Effects, entry: &Entry) {
    match entry {
        Entry::Touch { keys, member, time, expires_at } => {
            for key in keys {
                effects.rank(key, member, *time);
                effects.expire(key, *expires_at);
            }
        }
        Entry::FirstSeen { key, offset, keep } => {
            effects.set_first(key, offset.to_string().as_bytes());
            effects.expire_after(key, *keep);
        }
    }
}

/// An activity, or nothing where it is not a valid one.
struct Quiet<'b>(Option<Activity<'b>>);

impl<'de: 'b, 'b> Deserialize<'de> for Quiet<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&'de RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(text.get()).ok()))
    }
}

#[cfg(test)]
mod tests {
    use stream::Offset;

    use super::*;
    use crate::world::{INSTALLED, activity, touch};

    fn entry_of(record: &str) -> Entry {
        let activity: Activity = serde_json::from_str(record).unwrap();
        let (key, members) = check(Some(b"k"), record.as_bytes(), &activity).unwrap();
        let arrival = Arrival { offset: Offset(7), appended_at: 5_999, key, members, activity };
        entry(&arrival, &Rules::default(), Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn an_event_id_is_remembered_with_its_offset_from_when_it_was_appended() {
        for kind in ["install", "session", "event"] {
            let found = entry_of(&activity(kind, "e", serde_json::json!({ "event_name": "n" })));
            assert_eq!(
                found,
                Entry::FirstSeen { key: "e:game:e".into(), offset: 7, keep: Duration::from_secs(60) },
                "{kind}"
            );
        }
    }

    #[test]
    fn a_touch_is_remembered_for_its_window_and_25_hours() {
        for (kind, window_hours) in [("click", 7 * 24), ("impression", 24)] {
            let Entry::Touch { keys, time, expires_at, .. } = entry_of(&touch(kind, "t", 0, serde_json::json!({})))
            else {
                panic!("{kind} is a touch")
            };
            assert_eq!(keys[0], "t:game:oaid:device");
            assert_eq!(time, INSTALLED);
            assert_eq!(expires_at, INSTALLED / 1000 + (window_hours + 25) * 3_600 + 1, "{kind}");
        }
    }

    #[test]
    fn what_is_no_valid_activity_is_passed_over() {
        for record in
            [r#"{"event_id":"e"}"#, "[]", "7", r#"{"event_id":"a b","kind":"session","app_id":"x","event_time":1}"#]
        {
            assert!(serde_json::from_str::<Quiet>(record).unwrap().0.is_none(), "{record}");
        }
    }
}
