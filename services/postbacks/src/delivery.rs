//! One thing to tell one endpoint: its identity, and what is stored of it until it is told.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// What waits in Redis: the event as it came, so that every attempt is rendered from the rules as they are then.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Delivery<'a> {
    #[serde(borrow)]
    pub(crate) rule: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) event_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) app_id: Cow<'a, str>,
    /// `topic/partition/offset` of the event.
    #[serde(borrow)]
    pub(crate) src: Cow<'a, str>,
    /// When the event was appended to its topic, in milliseconds.
    pub(crate) appended_at: i64,
    /// Set where the store was emptied and this was scheduled anew: it may have been told since this moment, so that it
    /// is sent only by a courier who knows the outcomes since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) perhaps_told_since: Option<i64>,
    #[serde(borrow)]
    pub(crate) event: &'a RawValue,
}

/// The same event, told by the same rule, is the same delivery: for ever, and whoever schedules it.
pub(crate) fn delivery_id(topic: &str, app_id: &str, rule: &str, event_id: &str, version: u32) -> String {
    let mut hash = Sha256::new();
    for part in [topic, app_id, rule, event_id] {
        hash.update((part.len() as u64).to_be_bytes()); // so that no two lists of parts read the same
        hash.update(part);
    }
    hash.update(version.to_be_bytes());
    hex::encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_id_depends_on_every_part_and_on_where_it_ends() {
        let base = delivery_id("installs", "app", "rule", "event", 1);
        assert_eq!(base, delivery_id("installs", "app", "rule", "event", 1));
        assert_eq!(base.len(), 32);
        for other in [
            delivery_id("events", "app", "rule", "event", 1),
            delivery_id("installs", "ap", "prule", "event", 1),
            delivery_id("installs", "app", "rul", "eevent", 1),
            delivery_id("installs", "app", "rule", "event2", 1),
            delivery_id("installs", "app", "rule", "event", 2),
        ] {
            assert_ne!(base, other);
        }
    }
}
