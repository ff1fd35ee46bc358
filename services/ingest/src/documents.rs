//! One body, many events: a single object, an array, or NDJSON.

use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::media::Framing;
use crate::rejection::Rejection;

pub(crate) const MAX_EVENTS: usize = 1_000;

/// What a body holds, before a look into any event.
pub(crate) struct Documents<'a> {
    pub(crate) documents: Vec<Document<'a>>,
    pub(crate) grouping: Grouping,
}

/// A lone event is answered by itself; a batch gets results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    Single,
    Batch,
}

/// One event's text, or why there is none on this line.
pub(crate) struct Document<'a> {
    /// The line it stands on in NDJSON, from 1.
    pub(crate) line: Option<usize>,
    pub(crate) event: Result<&'a RawValue, Rejection>,
}

/// Splits a body; what cannot be split is refused whole.
pub(crate) fn split(body: &[u8], framing: Framing) -> Result<Documents<'_>, Rejection> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body)
        .map_err(|error| Rejection::new("utf8_invalid", format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    if trimmed.is_empty() {
        return Err(Rejection::new("body_empty", "the body holds no event"));
    }
    let documents = match framing {
        Framing::Lines => return lines(text),
        Framing::Json if trimmed.starts_with('[') => array(text)?,
        Framing::Json => {
            let mut json = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
            let first = json.next().and_then(Result::ok).map(RawValue::get).unwrap_or_default();
            let rest = text.get(json.byte_offset()..).unwrap_or_default();
            let one_line = !first.is_empty() && !first.contains('\n');
            let on_a_new_line = rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n');
            let more_lines = on_a_new_line && rest.trim_start().starts_with('{');
            if one_line && more_lines {
                return lines(text);
            }
            let event = serde_json::from_str(text).map_err(|error| whole(&error))?;
            return Ok(Documents {
                documents: vec![Document { line: None, event: Ok(event) }],
                grouping: Grouping::Single,
            });
        }
    };
    Ok(Documents { documents, grouping: Grouping::Batch })
}

/// Each line stands alone: a bad one costs only itself.
fn lines(text: &str) -> Result<Documents<'_>, Rejection> {
    let mut documents = Vec::new();
    for (number, line) in text.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if documents.len() == MAX_EVENTS {
            return Err(too_many());
        }
        documents.push(Document {
            line: Some(number + 1),
            event: serde_json::from_str(line).map_err(|error| whole(&error)),
        });
    }
    Ok(Documents { documents, grouping: Grouping::Batch })
}

fn array(text: &str) -> Result<Vec<Document<'_>>, Rejection> {
    struct Elements;
    impl<'de> Visitor<'de> for Elements {
        type Value = Vec<Document<'de>>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an array")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
            let mut documents = Vec::new();
            while let Some(event) = elements.next_element()? {
                if documents.len() == MAX_EVENTS {
                    return Err(A::Error::custom(event::Refusal::new("batch_too_large", too_many().message)));
                }
                documents.push(Document { line: None, event: Ok(event) });
            }
            Ok(documents)
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let documents = json.deserialize_seq(Elements).map_err(|error| whole(&error))?;
    json.end().map_err(|error| whole(&error))?;
    if documents.is_empty() {
        return Err(Rejection::new("batch_empty", "the batch holds no event"));
    }
    Ok(documents)
}

fn too_many() -> Rejection {
    Rejection::new("batch_too_large", format!("at most {MAX_EVENTS} events in a request"))
}

fn whole(error: &serde_json::Error) -> Rejection {
    let rejection = Rejection::from_json(error);
    if rejection.message.starts_with("trailing characters") {
        return Rejection { code: "json_trailing", ..rejection };
    }
    rejection
}
