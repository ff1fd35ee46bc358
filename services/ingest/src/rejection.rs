//! Why an event or a request is refused: one type for the wire, for serde's errors and for the checks of `event`.

use event::Refusal;
use serde_json::error::Category;

use crate::code;

/// A refusal with a code of [`crate::CODES`], a sentence that never echoes what was sent, and the field it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub code: &'static str,
    pub message: String,
    pub field: Option<String>,
}

impl Rejection {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None }
    }

    /// Names the field, unless a closer look has named it already.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field.get_or_insert_with(|| shown(field));
        self
    }

    pub fn status(&self) -> u16 {
        code::status(self.code)
    }

    /// Splits `code: message` again; anything else that serde says becomes a code of its own.
    pub(crate) fn from_json(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let text = text.strip_suffix(&position).unwrap_or(&text);
        if let Some((code, message)) = text.split_once(": ")
            && let Some(code) = code::known(code)
        {
            return Self::new(code, message);
        }
        match error.classify() {
            Category::Syntax | Category::Eof | Category::Io => {
                Self::new("json_syntax", format!("{text} at line {}, column {}", error.line(), error.column()))
            }
            Category::Data => Self::from_type_error(text),
        }
    }

    /// Serde's own words would quote the value, so only what it expected is kept.
    fn from_type_error(text: &str) -> Self {
        if let Some((_, rest)) = text.split_once("missing field `") {
            let field = rest.trim_end_matches('`');
            return Self::new("field_missing", format!("{field} is required")).at(field);
        }
        if text.starts_with("unknown variant") {
            let allowed = text.rsplit_once("expected one of ").map_or("", |(_, names)| names);
            return Self::new("platform_unknown", format!("the value must be one of {allowed}"));
        }
        let expected = text.rsplit_once("expected ").map_or("another type", |(_, expected)| expected);
        let code = match expected {
            "i64" => "type_integer",
            "a boolean" => "type_boolean",
            "a decimal string" => "revenue_format",
            "an RFC 3339 time or integer milliseconds" => "ts_format",
            _ if expected.contains("string") => "type_string",
            _ if expected.contains("struct") || expected.contains("map") => "type_object",
            _ => "json_type",
        };
        let expected = match code {
            "type_integer" => "an integer between -2^63 and 2^63-1",
            "type_object" => "an object",
            _ => expected,
        };
        Self::new(code, format!("expected {expected}"))
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let known = code::known(refusal.code);
        debug_assert!(known.is_some(), "{} is not listed", refusal.code);
        Self::new(known.unwrap_or("json_type"), refusal.message)
    }
}

/// A name as a message may show it: escaped, and at most 64 characters of it.
pub(crate) fn shown(name: &str) -> String {
    name.escape_debug().take(64).collect()
}
