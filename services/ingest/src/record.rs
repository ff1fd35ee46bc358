//! The Kafka record of an event: typed fields in their one form, unknown ones as they came.

use std::io::Write;
use std::sync::{Arc, LazyLock};

use event::{Activity, topic};
use serde_json::Value;
use stream::Outgoing;

use crate::names::Named;
use crate::rejection::Rejection;

pub(crate) const MAX_RECORD_BYTES: usize = 64 * 1024;

static TOPIC: LazyLock<Arc<str>> = LazyLock::new(|| topic::ACTIVITY.into());

/// Writes an event; the size that counts is that of the finished record.
pub(crate) fn write(activity: &Activity<'_>, named: &Named<'_, '_>) -> Result<Outgoing, Rejection> {
    let mut payload = value(activity, named).map_err(|error| Rejection::from_json(&error))?;
    append_passed_on(&mut payload, named).map_err(|error| Rejection::from_json(&error))?;
    let record = Outgoing {
        topic: TOPIC.clone(),
        partition: None,
        key: activity.partition_key().into_bytes(),
        payload,
        headers: Vec::with_capacity(4),
    }
    .header("ce_id", activity.event_id.as_str())
    .header("ce_type", format!("attributary.activity.{}", activity.kind.as_str()))
    .header("ce_source", format!("/apps/{}", activity.app_id))
    .header("ce_specversion", "1.0");
    let headers: usize =
        record.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len)).sum();
    let received = record.key.len() + record.payload.len() + headers;
    if received > MAX_RECORD_BYTES {
        let message = format!("a record has at most {MAX_RECORD_BYTES} bytes, this one {received}");
        return Err(Rejection::new("record_too_large", message));
    }
    Ok(record)
}

fn value(activity: &Activity<'_>, named: &Named<'_, '_>) -> serde_json::Result<Vec<u8>> {
    if named.unknown_device.is_empty() {
        let mut payload = Vec::with_capacity(1_024);
        serde_json::to_writer(&mut payload, activity)?;
        return Ok(payload);
    }
    let mut event = serde_json::to_value(activity)?;
    for (name, unknown) in &named.unknown_device {
        event["device"][name.as_ref()] = serde_json::from_str::<Value>(unknown.get())?;
    }
    serde_json::to_vec(&event)
}

/// Puts what is passed on, text as it came, before the closing brace.
fn append_passed_on(payload: &mut Vec<u8>, named: &Named<'_, '_>) -> serde_json::Result<()> {
    if named.passed_on.is_empty() {
        return Ok(());
    }
    payload.pop();
    for (name, value) in &named.passed_on {
        payload.push(b',');
        serde_json::to_writer(&mut *payload, name)?;
        payload.push(b':');
        payload.write_all(value.get().as_bytes()).map_err(serde_json::Error::io)?;
    }
    payload.push(b'}');
    Ok(())
}
