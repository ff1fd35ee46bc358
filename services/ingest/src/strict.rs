//! What JSON may hold here, beyond its syntax: depth, fields, keys, characters and numbers are bounded.
//!
//! serde_json would take 127 levels, any number of keys, the last of two equal ones, and an integer over 64 bits as
//! a float. Nothing here builds a tree: values are walked and stay the text that they are.

use std::borrow::Cow;
use std::fmt;

use event::Refusal;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::rejection::{Rejection, shown};

const DEPTH: usize = 16;
const FIELDS: usize = 200;
const KEY_BYTES: usize = 128;
const STRING_BYTES: usize = 64 * 1024;
/// 2⁶³: a number that serde gives as a float of this size was an integer over 64 bits, or is no figure anyone sends.
const LARGEST: f64 = 9_223_372_036_854_775_808.0;

/// The fields of one event, in the order they were sent, each with its untouched text.
pub(crate) type Fields<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Takes an event apart into its fields, and refuses whatever breaks the bounds at any depth.
pub(crate) fn read_fields(event: &RawValue) -> Result<Fields<'_>, Rejection> {
    let fields = top_level(event)?;
    let mut count = fields.len();
    for (name, value) in &fields {
        check_value(value.get(), &mut count).map_err(|rejection| rejection.at(name))?;
    }
    Ok(fields)
}

/// The fields of an object whose values were looked at before, or are next.
pub(crate) fn top_level(object: &RawValue) -> Result<Fields<'_>, Rejection> {
    if !object.get().starts_with('{') {
        return Err(Rejection::new("type_object", "expected an object"));
    }
    object.deserialize_map(TopLevel).map_err(|error| Rejection::from_json(&error))
}

fn check_value(value: &str, count: &mut usize) -> Result<(), Rejection> {
    if is_plain(value) {
        return Ok(());
    }
    let mut json = serde_json::Deserializer::from_str(value);
    Walk { count, depth: 1 }.deserialize(&mut json).map_err(|error| Rejection::from_json(&error))
}

/// The values that need no second look, which are most: literals, short integers, strings without escapes.
fn is_plain(value: &str) -> bool {
    match value.as_bytes() {
        [b't' | b'f' | b'n', ..] => true,
        [b'"', text @ ..] => value.len() <= STRING_BYTES && !text.iter().any(|byte| matches!(byte, b'\\' | 0x7f)),
        number => number.len() <= 18 && number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-'),
    }
}

/// One step into a value; `depth` is that of the object or array around it.
struct Walk<'w> {
    count: &'w mut usize,
    depth: usize,
}

impl Walk<'_> {
    fn deeper<E: de::Error>(&mut self) -> Result<Walk<'_>, E> {
        if self.depth == DEPTH {
            return Err(refuse("too_deep", format!("at most {DEPTH} levels of objects and arrays")));
        }
        Ok(Walk { count: self.count, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        if number.abs() >= LARGEST {
            return Err(refuse("number_range", "an integer has at most 64 bits, any other number is below 2^63"));
        }
        Ok(())
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.len() > STRING_BYTES {
            return Err(refuse("string_too_long", format!("at most {STRING_BYTES} bytes, received {}", text.len())));
        }
        let forbidden = |c: char| c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r');
        match text.chars().find(|&c| forbidden(c)) {
            Some(c) => Err(refuse("control_char", format!("character U+{:04X} is not allowed", u32::from(c)))),
            None => Ok(()),
        }
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let inside = self.deeper()?;
        while elements.next_element_seed(Walk { count: inside.count, depth: inside.depth })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let inside = self.deeper()?;
        let mut keys: Vec<Cow<'de, str>> = Vec::new();
        while let Some(Key(key)) = entries.next_key()? {
            *inside.count += 1;
            check_key(&key, keys.iter(), *inside.count)?;
            keys.push(key);
            entries.next_value_seed(Walk { count: inside.count, depth: inside.depth })?;
        }
        Ok(())
    }
}

/// Gathers the fields of the outermost object without a look into their values.
struct TopLevel;

impl<'de> Visitor<'de> for TopLevel {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields: Fields<'de> = Vec::with_capacity(24);
        while let Some(Key(key)) = entries.next_key()? {
            check_key(&key, fields.iter().map(|(name, _)| name), fields.len() + 1)?;
            fields.push((key, entries.next_value()?));
        }
        Ok(fields)
    }
}

/// A key of an object: borrowed where no escape forbids it.
struct Key<'de>(Cow<'de, str>);

impl<'de> de::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Keys that differ only by case or by Unicode normalisation are different keys.
fn check_key<'k, E: de::Error>(
    key: &str,
    mut earlier: impl Iterator<Item = &'k Cow<'k, str>>,
    count: usize,
) -> Result<(), E> {
    if count > FIELDS {
        return Err(refuse("too_many_fields", format!("at most {FIELDS} fields in an event")));
    }
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(refuse("bad_key", format!("a key has 1 to {KEY_BYTES} bytes, received {}", key.len())));
    }
    event::Text::<KEY_BYTES>::new(key).map_err(E::custom)?;
    if earlier.any(|other| other == key) {
        return Err(refuse("duplicate_key", format!("the key {} appears twice", shown(key))));
    }
    Ok(())
}

fn refuse<E: de::Error>(code: &'static str, message: impl Into<String>) -> E {
    E::custom(Refusal::new(code, message))
}
