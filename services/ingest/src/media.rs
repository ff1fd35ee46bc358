//! What a sender says of the bytes: the media type and the encoding, both from a short list.

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};

use crate::rejection::Rejection;

/// How events follow each other in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One object or an array; lines of objects are recognised too.
    Json,
    /// NDJSON.
    Lines,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Gzip,
}

pub(crate) fn framing(headers: &HeaderMap) -> Result<Framing, Rejection> {
    let refuse =
        || Rejection::new("media_type", "the content type must be application/json or application/x-ndjson, in UTF-8");
    let content_type = only(headers, &CONTENT_TYPE).ok_or_else(refuse)?.to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    let framing = match parts.next() {
        Some("application/json") => Framing::Json,
        Some("application/x-ndjson" | "application/ndjson") => Framing::Lines,
        _ => return Err(refuse()),
    };
    let other_charset = |part: &str| {
        part.strip_prefix("charset=").is_some_and(|charset| !matches!(charset.trim_matches('"'), "utf-8" | "utf8"))
    };
    if parts.any(other_charset) {
        return Err(refuse());
    }
    Ok(framing)
}

pub(crate) fn encoding(headers: &HeaderMap) -> Result<Encoding, Rejection> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(Encoding::Plain);
    }
    match only(headers, &CONTENT_ENCODING).map(str::to_ascii_lowercase).as_deref() {
        Some("identity") => Ok(Encoding::Plain),
        Some("gzip" | "x-gzip") => Ok(Encoding::Gzip),
        _ => Err(Rejection::new("encoding_unsupported", "the content encoding must be gzip, once, or absent")),
    }
}

/// The value of a header that stands there exactly once and is plain text.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(answer: Result<T, Rejection>) -> &'static str {
        answer.map_or_else(|rejection| rejection.code, |_| "ok")
    }

    #[test]
    fn rows_49_and_50_only_json_in_utf_8_and_gzip_once() {
        for (name, value, expected) in [
            (CONTENT_TYPE, "application/json", "ok"),
            (CONTENT_TYPE, "Application/JSON; charset=\"UTF-8\"", "ok"),
            (CONTENT_TYPE, "application/x-ndjson", "ok"),
            (CONTENT_TYPE, "text/plain", "media_type"),
            (CONTENT_TYPE, "application/json; charset=utf-16", "media_type"),
            (CONTENT_TYPE, "", "media_type"),
            (CONTENT_ENCODING, "gzip", "ok"),
            (CONTENT_ENCODING, "identity", "ok"),
            (CONTENT_ENCODING, "gzip, gzip", "encoding_unsupported"),
            (CONTENT_ENCODING, "br", "encoding_unsupported"),
        ] {
            let headers = HeaderMap::from_iter([(name.clone(), value.parse().unwrap())]);
            let answer = if name == CONTENT_TYPE { code(framing(&headers)) } else { code(encoding(&headers)) };
            assert_eq!(answer, expected, "{name}: {value}");
        }
        assert_eq!(code(framing(&HeaderMap::new())), "media_type");
        assert_eq!(code(encoding(&HeaderMap::new())), "ok");
        let twice = HeaderMap::from_iter(
            [(CONTENT_ENCODING, "gzip"), (CONTENT_ENCODING, "gzip")].map(|(k, v)| (k, v.parse().unwrap())),
        );
        assert_eq!(code(encoding(&twice)), "encoding_unsupported");
    }
}
