//! One canary: a click, and an install that it earned.

use event::{Decided, Time};
use serde_json::{Value, json};
use stream::tail::Stored;
use uuid::Uuid;

/// Whose clicks they are.
const MEDIA_SOURCE: &str = "attributary_canary";
const CLICKED_BEFORE_MILLIS: i64 = 1_000;

pub(crate) struct Canary {
    pub(crate) id: String,
    pub(crate) time: Time,
}

impl Canary {
    #[expect(clippy::disallowed_methods, reason = "no two canaries are the same, and each is of its moment")]
    pub(crate) fn new() -> Self {
        Self {
            id: Uuid::now_v7().to_string(),
            time: Time::from_trusted_millis(jiff::Timestamp::now().as_millisecond()),
        }
    }

    /// What is sent: test data, which is counted apart.
    pub(crate) fn events(&self, app: &str) -> Value {
        let Self { id, time } = self;
        let clicked = Time::from_trusted_millis(time.millis() - CLICKED_BEFORE_MILLIS);
        let device = json!({ "advertising_id": id });
        json!([
            { "kind": "click", "event_id": format!("{id}-click"), "app_id": app, "event_time": clicked, "test": true,
              "media_source": MEDIA_SOURCE, "device": device },
            { "kind": "install", "event_id": id, "app_id": app, "event_time": time, "test": true, "install_id": id,
              "device": device },
        ])
    }

    /// Whether this record of `installs` is ours; an error if it was decided otherwise than it must.
    pub(crate) fn is_in(&self, record: &Stored) -> Result<bool, String> {
        if !record.headers.iter().any(|(name, value)| name == "ce_id" && *value == self.id.as_bytes()) {
            return Ok(false);
        }
        let install: Decided<'_> = serde_json::from_slice(record.payload.as_deref().unwrap_or_default())
            .map_err(|error| format!("the install cannot be read: {error}"))?;
        match &install.attribution.media_source {
            Some(source) if source.as_str() == MEDIA_SOURCE => Ok(true),
            other => Err(format!("the install was decided for {other:?}, and not for {MEDIA_SOURCE}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use stream::{Offset, Partition};

    use super::*;

    fn record(id: &str, attribution: &Value) -> Stored {
        let payload = json!({ "event_id": id, "app_id": "a", "kind": "install", "event_time": "2026-11-22T10:00:00Z",
                              "attribution": attribution });
        Stored {
            partition: Partition::new("installs", 0),
            offset: Offset(7),
            key: None,
            payload: Some(payload.to_string().into_bytes()),
            headers: vec![("ce_id".into(), id.as_bytes().to_vec())],
            timestamp: 0,
        }
    }

    #[test]
    fn a_canary_knows_its_install_and_who_must_have_earned_it() {
        let canary = Canary::new();
        let id = &canary.id;
        let earned = |source: &str| json!({ "status": "attributed", "media_source": source });
        assert_eq!(canary.is_in(&record("other", &earned(MEDIA_SOURCE))), Ok(false));
        assert_eq!(canary.is_in(&record(id, &earned(MEDIA_SOURCE))), Ok(true));
        assert!(canary.is_in(&record(id, &earned("organic"))).unwrap_err().contains("organic"));
    }

    #[test]
    fn what_is_sent_is_valid_and_test_data() {
        let events = Canary::new().events("attributary.canary");
        for event in events.as_array().unwrap() {
            let text = event.to_string();
            let activity: event::Activity<'_> = serde_json::from_str(&text).unwrap();
            assert!(activity.check().is_ok() && activity.test, "{event}");
        }
    }
}
