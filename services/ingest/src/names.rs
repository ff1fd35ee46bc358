//! Which field is which: aliases become our names, ours may not be sent, strangers are noted.

use event::{Kind, canonical_name};
use serde::Deserialize as _;
use serde_json::value::RawValue;

use crate::prepare::Warning;
use crate::rejection::{Rejection, shown};
use crate::shape;
use crate::strict::{self, Fields};

/// Fields that only this system may write.
const RESERVED: [&str; 5] = ["attribution", "received_at", "ip_hash", "ip_net_hash", "ip_class"];

/// Fields that hold whatever the sender likes: they are passed on as they came.
const FREE: [&str; 3] = ["event_value", "extra", "consent"];
const EVENT_VALUE_BYTES: usize = 10 * 1024;

/// Identifiers of `device` that a phone sends as zeros when its owner wants no tracking.
const ZERO_MEANS_ABSENT: [&str; 6] = ["idfa", "idfv", "advertising_id", "android_id", "oaid", "amazon_aid"];

/// The fields of one event under our names; `'n` is where the names stand, `'a` the text of the body.
pub(crate) struct Named<'n, 'a> {
    pub(crate) kind: Kind,
    pub(crate) known: Vec<(&'n str, &'a RawValue)>,
    /// Fields that are stored with the text that they came with.
    pub(crate) passed_on: Vec<(&'n str, &'a RawValue)>,
    /// Fields of `device` that no type knows.
    pub(crate) unknown_device: Fields<'a>,
    pub(crate) warnings: Vec<Warning>,
}

impl<'n, 'a> Named<'n, 'a> {
    pub(crate) fn value(&self, name: &str) -> Option<&'a RawValue> {
        self.known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    pub(crate) fn replace(&mut self, name: &str, value: &'a RawValue) {
        for (_, known) in self.known.iter_mut().filter(|(known, _)| *known == name) {
            *known = value;
        }
    }
}

/// Sorts the fields of an event. A known field that is `null` counts as absent.
pub(crate) fn name_fields<'n, 'a>(fields: &'n Fields<'a>) -> Result<Named<'n, 'a>, Rejection> {
    let kind = kind(fields)?;
    let mut named = Named {
        kind,
        known: Vec::with_capacity(fields.len() + 2),
        passed_on: Vec::new(),
        unknown_device: Vec::new(),
        warnings: Vec::new(),
    };
    for (sent, value) in fields {
        let name = own_name(kind, sent);
        if RESERVED.contains(&name) {
            return Err(Rejection::new("field_reserved", "this field is set here, never by a sender").at(name));
        }
        if !shape::ACTIVITY.contains(name) {
            named.warnings.push(Warning { code: "unknown_field", field: shown(name) });
            named.passed_on.push((name, value));
        } else if value.get() != "null" {
            if named.has(name) {
                return Err(Rejection::new("duplicate_key", "the field is sent under two names").at(name));
            }
            match FREE.contains(&name) {
                true => named.passed_on.push((name, check_free(name, value)?)),
                false => named.known.push((name, value)),
            }
        }
    }
    if let Some(device) = named.value("device") {
        look_into_device(&mut named, device)?;
    }
    Ok(named)
}

fn kind(fields: &Fields<'_>) -> Result<Kind, Rejection> {
    let sent = fields.iter().find(|(name, value)| name == "kind" && value.get() != "null");
    let Some((_, value)) = sent else {
        return Err(Rejection::new("field_missing", "kind is required").at("kind"));
    };
    let unknown = |_| Rejection::new("kind_unknown", "kind is one of click, impression, install, session, event");
    Kind::deserialize(*value).map_err(unknown).map_err(|rejection| rejection.at("kind"))
}

/// Other systems' names for an ad's fields mean nothing on an install or an event.
fn own_name(kind: Kind, sent: &str) -> &str {
    let own = canonical_name(sent);
    if kind.is_touch() || matches!(own, "revenue" | "currency") { own } else { sent }
}

fn check_free<'a>(name: &str, value: &'a RawValue) -> Result<&'a RawValue, Rejection> {
    if !value.get().starts_with('{') {
        return Err(Rejection::new("type_object", "expected an object").at(name));
    }
    let received = value.get().len();
    if name == "event_value" && received > EVENT_VALUE_BYTES {
        let message = format!("at most {EVENT_VALUE_BYTES} bytes, received {received}");
        return Err(Rejection::new("event_value_too_large", message).at(name));
    }
    Ok(value)
}

fn look_into_device<'a>(named: &mut Named<'_, 'a>, device: &'a RawValue) -> Result<(), Rejection> {
    for (name, value) in strict::top_level(device).map_err(|rejection| rejection.at("device"))? {
        let text = value.get().trim_matches('"');
        let is_zero = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0' | b'-'));
        if is_zero && ZERO_MEANS_ABSENT.contains(&name.as_ref()) {
            named.warnings.push(Warning { code: "device_id_zero", field: format!("device.{}", shown(&name)) });
        }
        if !shape::DEVICE.contains(name.as_ref()) {
            named.warnings.push(Warning { code: "unknown_field", field: format!("device.{}", shown(&name)) });
            named.unknown_device.push((name, value));
        }
    }
    Ok(())
}
