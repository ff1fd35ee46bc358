//! Strings with a limit, borrowed from the record where no escape forbids it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::Refusal;

/// Text of at most `MAX` characters without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<'a, const MAX: usize>(Cow<'a, str>);

/// The name of an app: an Android package, or `id` and digits for iOS.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId<'a>(Cow<'a, str>);

/// What makes an event the same event when it is sent again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId<'a>(Cow<'a, str>);

/// Looks at every byte even after a wrong one: without an early exit the compiler takes many at a time.
fn all_bytes(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & allowed(byte))
}

/// Refuses what no name may hold: controls, and the marks that reverse how a line reads.
pub(crate) fn check_characters(text: &str) -> Result<(), Refusal> {
    if all_bytes(text, |byte| (0x20..0x7f).contains(&byte)) {
        return Ok(());
    }
    let forbidden = |c: char| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    match text.chars().find(|&c| forbidden(c)) {
        Some(c) => Err(Refusal::new("control_char", format!("character U+{:04X} is not allowed", u32::from(c)))),
        None => Ok(()),
    }
}

/// What a checked string type says of itself; the rest is written once below.
trait Checked<'a>: From<Cow<'a, str>> {
    fn check(text: &str) -> Result<(), Refusal>;
}

struct CheckedVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Checked<'de>> Visitor<'de> for CheckedVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<T, E> {
        T::check(text).map_err(E::custom)?;
        Ok(T::from(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::check(text).map_err(E::custom)?;
        Ok(T::from(Cow::Owned(text.to_owned())))
    }
}

/// The parts that every checked string shares; a macro because the generic parameters differ.
macro_rules! checked_string {
    ($name:ident $(, $max:ident)?) => {
        impl<'a $(, const $max: usize)?> $name<'a $(, $max)?> {
            /// Checks text that did not come through serde.
            pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, Refusal> {
                let text = text.into();
                <Self as Checked>::check(&text)?;
                Ok(Self(text))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub fn into_owned(self) -> $name<'static $(, $max)?> {
                $name(Cow::Owned(self.0.into_owned()))
            }
        }

        impl<'a $(, const $max: usize)?> From<Cow<'a, str>> for $name<'a $(, $max)?> {
            fn from(text: Cow<'a, str>) -> Self {
                Self(text)
            }
        }

        impl<'de: 'a, 'a $(, const $max: usize)?> Deserialize<'de> for $name<'a $(, $max)?> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(CheckedVisitor::<$name<'de $(, $max)?>>(std::marker::PhantomData))
            }
        }

        impl<$(const $max: usize)?> Serialize for $name<'_ $(, $max)?> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<$(const $max: usize)?> fmt::Display for $name<'_ $(, $max)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_string!(Text, MAX);
checked_string!(AppId);
checked_string!(EventId);

impl<'a, const MAX: usize> Checked<'a> for Text<'a, MAX> {
    fn check(text: &str) -> Result<(), Refusal> {
        if text.len() > MAX && text.chars().count() > MAX {
            let received = text.chars().count();
            return Err(Refusal::new("string_too_long", format!("at most {MAX} characters, received {received}")));
        }
        check_characters(text)
    }
}

impl<'a> Checked<'a> for AppId<'a> {
    fn check(text: &str) -> Result<(), Refusal> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > 150 || !all_bytes(text, allowed) {
            return Err(Refusal::new(
                "app_id_format",
                format!("app_id must be 1 to 150 of [A-Za-z0-9._-], received {} bytes", text.len()),
            ));
        }
        Ok(())
    }
}

impl<'a> Checked<'a> for EventId<'a> {
    fn check(text: &str) -> Result<(), Refusal> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if text.is_empty() || text.len() > 64 || !all_bytes(text, allowed) {
            return Err(Refusal::new(
                "event_id_format",
                format!("event_id must be 1 to 64 of [A-Za-z0-9_-], received {} bytes", text.len()),
            ));
        }
        Ok(())
    }
}

impl<const MAX: usize> JsonSchema for Text<'_, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Text{MAX}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX })
    }
}

impl JsonSchema for AppId<'_> {
    fn schema_name() -> Cow<'static, str> {
        "AppId".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,150}$" })
    }
}

impl JsonSchema for EventId<'_> {
    fn schema_name() -> Cow<'static, str> {
        "EventId".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" })
    }
}
