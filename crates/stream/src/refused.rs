//! Records that are refused, and why.

use serde::Deserialize;
use serde_json::error::Category;

/// A record of the batch that goes to the dead letters instead of the sink.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reject {
    pub(crate) index: usize,
    pub(crate) code: String,
    pub(crate) reason: String,
}

/// Decodes a payload, or says with a stable code why it cannot be.
pub(crate) fn decode<'b, T: Deserialize<'b>>(payload: Option<&'b [u8]>) -> Result<T, (String, String)> {
    let Some(payload) = payload else {
        return Err(("value_null".into(), "the record has no value".into()));
    };
    // Once for the record, where `from_slice` would check each string by itself: a fifth of the instructions.
    let Ok(text) = std::str::from_utf8(payload) else {
        return Err(("utf8_invalid".into(), "the record is not UTF-8".into()));
    };
    serde_json::from_str(text).map_err(|error| explain::<T>(text, &error))
}

/// Decodes once more, slowly, to learn which field was wrong.
fn explain<'b, T: Deserialize<'b>>(text: &'b str, error: &serde_json::Error) -> (String, String) {
    if error.classify() != Category::Data {
        return ("json_syntax".into(), error.to_string());
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let (path, message) = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) => (error.path().to_string(), error.inner().to_string()),
        Ok(_) => (".".into(), error.to_string()),
    };
    let (code, message) = match message.split_once(": ") {
        Some((code, rest)) if is_code(code) => (code, rest),
        _ if message.starts_with("missing field") => ("field_missing", message.as_str()),
        _ if message.starts_with("duplicate field") => ("duplicate_key", message.as_str()),
        _ => ("json_type", message.as_str()),
    };
    let reason = if path == "." { message.to_owned() } else { format!("{path}: {message}") };
    (code.to_owned(), reason)
}

fn is_code(text: &str) -> bool {
    text.contains('_') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Sample {
        inner: Inner,
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Inner {
        #[serde(deserialize_with = "picky")]
        size: i64,
    }
    fn picky<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        match i64::deserialize(deserializer)? {
            size if size < 0 => Err(serde::de::Error::custom("size_range: must not be negative")),
            size => Ok(size),
        }
    }

    #[test]
    fn a_refusal_has_a_code_and_names_the_field() {
        for (payload, code, reason) in [
            (Some(br#"{"inner":{"size":-1}}"#.as_slice()), "size_range", "inner.size: must not be negative"),
            (Some(br#"{"inner":{"size":"1"}}"#), "json_type", "inner.size: invalid type"),
            (Some(br#"{"inner":{}}"#), "field_missing", "inner: missing field `size`"),
            (Some(br#"{"inner":"#), "json_syntax", "EOF"),
            (Some(b"\xff"), "utf8_invalid", "not UTF-8"),
            (Some(b"{\"inner\":{\"size\":1},\"unknown\":\"\xff\"}"), "utf8_invalid", "not UTF-8"),
            (None, "value_null", "no value"),
        ] {
            let (found, why) = decode::<Sample>(payload).unwrap_err();
            assert_eq!(found, code);
            assert!(why.contains(reason), "{why}");
        }
    }
}
