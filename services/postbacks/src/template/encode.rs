//! Encoding for the place where a value stands, so that no value can say more than its place allows.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// Where a macro stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    /// A name or value of a form body.
    Form,
    Header,
    /// A whole value of a JSON body.
    Json,
    /// Between the quotes of a string of a JSON body.
    JsonString,
    /// A plain text body.
    Text,
}

/// Everything but the unreserved characters of RFC 3986.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What may never stand in a query as it is: `%`, `&`, `=` and `+` stay, for values that are encoded already.
const RAW_QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'\\')
    .add(b'^')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'\'');
const RAW_PATH: &AsciiSet = &RAW_QUERY.add(b'?');
const HEADER: &AsciiSet = CONTROLS;

impl Place {
    /// Encodes a value so that it stays within this place.
    pub(crate) fn encode(self, text: &str) -> String {
        match self {
            Self::Path | Self::Query | Self::Form => component(text),
            Self::Header => utf8_percent_encode(text, HEADER).to_string(),
            Self::Json => json(text),
            Self::JsonString => {
                let quoted = json(text);
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Text => text.to_owned(),
        }
    }

    /// For a value that is trusted to be encoded already: still nothing that ends a path, a query or a header.
    pub(crate) fn keep(self, text: &str) -> String {
        match self {
            Self::Path => utf8_percent_encode(text, RAW_PATH).to_string(),
            Self::Query => utf8_percent_encode(text, RAW_QUERY).to_string(),
            Self::Header => utf8_percent_encode(text, HEADER).to_string(),
            Self::Form | Self::Json | Self::JsonString | Self::Text => text.to_owned(),
        }
    }
}

pub(crate) fn component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// A JSON string, quotes included.
pub(crate) fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
