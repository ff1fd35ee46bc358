//! A record of `activity` that passed every check: both stages that read the topic admit the same records.

use event::{Activity, Refusal};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use stream::{Offset, Record};

#[derive(Debug)]
pub(crate) struct Arrival<'b> {
    pub(crate) offset: Offset,
    /// The broker's time, in milliseconds.
    pub(crate) appended_at: i64,
    pub(crate) key: &'b [u8],
    /// The members of the record's JSON object as they stand there, from behind the opening brace.
    pub(crate) members: &'b str,
    pub(crate) activity: Activity<'b>,
}

/// A record that goes to the dead letters.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) offset: Offset,
    pub(crate) refusal: Refusal,
}

impl<'b> Arrival<'b> {
    pub(crate) fn admit(record: Record<'b, Activity<'b>>) -> Result<Self, Refused> {
        let Record { offset, appended_at, key, payload, value, .. } = record;
        match check(key, payload, &value) {
            Ok((key, members)) => Ok(Self { offset, appended_at, key, members, activity: value }),
            Err(refusal) => Err(Refused { offset, refusal }),
        }
    }
}

/// Checks what the fields alone cannot tell, and takes the record apart.
pub(crate) fn check<'b>(
    key: Option<&'b [u8]>,
    payload: &'b [u8],
    activity: &Activity<'_>,
) -> Result<(&'b [u8], &'b str), Refusal> {
    activity.check()?;
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        let message = "the key is app_id|device: it keeps what happens to one device in one partition, in order";
        return Err(Refusal::new("key_missing", message));
    };
    let Ok(text) = std::str::from_utf8(payload) else {
        return Err(Refusal::new("utf8_invalid", "the record is not UTF-8"));
    };
    let Some(members) = text.trim_start_matches([' ', '\t', '\r', '\n']).strip_prefix('{') else {
        return Err(Refusal::new("json_type", "the record is not an object"));
    };
    if has_attribution(text) {
        return Err(Refusal::new("field_reserved", "attribution is decided here and cannot be sent"));
    }
    Ok((key, members))
}

/// Whether the object has a member `attribution`. Few records hold the word at all, or an escape that could hide it, and
/// only those are read once more.
fn has_attribution(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Reserved {
        #[serde(default, deserialize_with = "present")]
        attribution: bool,
    }
    fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| true)
    }
    let may_have = text.contains("\"attribution\"") || text.contains("\\u");
    // A member that stands there twice is an error of the second reading.
    may_have && serde_json::from_str::<Reserved>(text).map_or(true, |reserved| reserved.attribution)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = r#""event_id":"e","kind":"session","app_id":"game","event_time":"2026-11-22T10:11:12Z""#;

    #[test]
    fn a_record_is_taken_apart_or_refused_with_a_code() {
        for (payload, expected) in [
            (format!("{{{FIELDS}}}"), Ok("}")),
            (format!("\n\t {{ {FIELDS} , \"later\":1}} "), Ok(" , \"later\":1} ")),
            (format!(r#"{{{FIELDS},"extra":{{"attribution":1}}}}"#), Ok(r#","extra":{"attribution":1}}"#)),
            (format!(r#"{{{FIELDS},"extra":"attribution"}}"#), Ok(r#","extra":"attribution"}"#)),
            (format!(r#"{{{FIELDS},"extra":"\u0061"}}"#), Ok(r#","extra":"\u0061"}"#)),
            (format!(r#"{{{FIELDS},"attribution":{{"status":"organic"}}}}"#), Err("field_reserved")),
            (format!(r#"{{{FIELDS},"attribution":null}}"#), Err("field_reserved")),
            (format!(r#"{{"attribution":1,"attribution":2,{FIELDS}}}"#), Err("field_reserved")),
            (format!(r#"{{{FIELDS},"\u0061ttribution":{{}}}}"#), Err("field_reserved")),
            (format!(r#"{{{FIELDS},"revenue":"1"}}"#), Err("currency_missing")),
        ] {
            let activity: Activity = serde_json::from_str(&payload).unwrap();
            let found = check(Some(b"game|d"), payload.as_bytes(), &activity);
            let rest = found.map(|(_, members)| members.split_once(FIELDS).unwrap().1).map_err(|refusal| refusal.code);
            assert_eq!(rest, expected, "{payload}");
        }
    }

    #[test]
    fn a_record_without_a_key_or_that_is_no_object_or_no_text_is_refused() {
        let good = format!("{{{FIELDS}}}");
        let activity: Activity = serde_json::from_str(&good).unwrap();
        let raw = [good.as_bytes(), b"\xff"].concat();
        for (key, payload, code) in [
            (None, good.as_bytes(), "key_missing"),
            (Some(b"".as_slice()), good.as_bytes(), "key_missing"),
            (Some(b"game|d"), br#"["e","session","game"]"#, "json_type"),
            (Some(b"game|d"), &raw, "utf8_invalid"),
        ] {
            assert_eq!(check(key, payload, &activity).unwrap_err().code, code);
        }
    }
}
