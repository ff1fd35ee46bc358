//! Which deliveries an event causes. Pure: the same records and rules give the same deliveries, however often.

use std::borrow::Cow;

use event::{AppId, EventId, ORGANIC, Refusal, Text, Time};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::delivery::{Delivery, delivery_id};
use crate::rules::{Rules, Subject, Topic};

/// What the index and the identity of a delivery need of an event; the rest is read only where a rule may apply.
#[derive(Debug, Deserialize)]
pub(crate) struct Told<'a> {
    #[serde(borrow)]
    pub(crate) event_id: EventId<'a>,
    #[serde(borrow)]
    pub(crate) app_id: AppId<'a>,
    pub(crate) event_time: Time,
    #[serde(borrow, default)]
    pub(crate) event_name: Option<Text<'a, 100>>,
    #[serde(borrow, default)]
    attribution: Earned<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Earned<'a> {
    #[serde(borrow)]
    media_source: Option<Text<'a, 150>>,
    version: u32,
}

/// One delivery to schedule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) id: String,
    pub(crate) endpoint: String,
    pub(crate) body: Vec<u8>,
}

impl Told<'_> {
    pub(crate) fn subject(&self, topic: Topic) -> Subject<'_> {
        Subject {
            topic,
            app_id: self.app_id.as_str(),
            event_name: self.event_name.as_ref().map(Text::as_str).filter(|_| topic == Topic::Events),
            media_source: self.attribution.media_source.as_ref().map_or(ORGANIC, Text::as_str),
        }
    }

    pub(crate) fn delivery_id(&self, topic: Topic, rule: &str) -> String {
        delivery_id(topic.as_str(), self.app_id.as_str(), rule, self.event_id.as_str(), self.attribution.version)
    }
}

/// Where a record stands, and when it came there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// `topic/partition/offset`.
    pub(crate) src: &'a str,
    pub(crate) appended_at: i64,
    pub(crate) perhaps_told_since: Option<i64>,
}

/// The deliveries that one record causes.
pub(crate) fn plan(
    rules: &Rules,
    topic: Topic,
    told: &Told<'_>,
    payload: &[u8],
    origin: Origin<'_>,
) -> Result<Vec<Planned>, Refusal> {
    let mut candidates = rules.candidates(told.subject(topic)).peekable();
    if candidates.peek().is_none() {
        return Ok(Vec::new());
    }
    let unreadable = |error: serde_json::Error| Refusal::new("json_syntax", error.to_string());
    let event: Value = serde_json::from_slice(payload).map_err(unreadable)?;
    let raw: &RawValue = serde_json::from_slice(payload).map_err(unreadable)?;
    let applying = candidates.filter(|rule| rule.applies(told.event_time, &event));
    applying
        .map(|rule| {
            let delivery = Delivery {
                rule: Cow::Borrowed(&rule.id),
                event_id: Cow::Borrowed(told.event_id.as_str()),
                app_id: Cow::Borrowed(told.app_id.as_str()),
                src: Cow::Borrowed(origin.src),
                appended_at: origin.appended_at,
                perhaps_told_since: origin.perhaps_told_since,
                event: raw,
            };
            Ok(Planned {
                id: told.delivery_id(topic, &rule.id),
                endpoint: rule.endpoint.clone(),
                body: serde_json::to_vec(&delivery).map_err(unreadable)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
