//! A moment in milliseconds since the epoch, RFC 3339 in text.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::Refusal;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(i64);

const HOUR: i64 = 3_600_000;
/// Milliseconds of 2000-01-01 and 2100-01-01: an integer outside is seconds or microseconds sent by mistake.
const PLAUSIBLE: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;

impl Time {
    /// Takes integer milliseconds, and refuses what can only be another unit.
    pub fn from_millis(millis: i64) -> Result<Self, Refusal> {
        if !PLAUSIBLE.contains(&millis) {
            return Err(Refusal::new(
                "ts_unit_ambiguous",
                "an integer time is milliseconds since the epoch, between the years 2000 and 2100",
            ));
        }
        Ok(Self(millis))
    }

    /// Takes RFC 3339 with a zone; a leap second counts as the second before it.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = || Refusal::new("ts_format", "a time is RFC 3339 with a zone, such as 2026-11-22T10:11:12.345Z");
        if text.as_bytes().get(10) != Some(&b'T') {
            return Err(refuse());
        }
        let time: Timestamp = text.parse().map_err(|_| refuse())?;
        Ok(Self(time.as_millisecond()))
    }

    /// For times that this system made itself, such as a broker's append time.
    pub const fn from_trusted_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Hours since the epoch, UTC.
    pub const fn hour(self) -> i64 {
        self.0.div_euclid(HOUR)
    }

    /// Days since the epoch, UTC.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(24 * HOUR)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        impl Visitor<'_> for TimeVisitor {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time or integer milliseconds")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                Time::parse(text).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Time, E> {
                Time::from_millis(millis).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Time, E> {
                Time::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(TimeVisitor)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "RFC 3339 with milliseconds and zone; integer milliseconds since the epoch are accepted in.",
            "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "integer" }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_with_a_zone() {
        for (text, expected) in [
            ("2026-11-22T10:11:12.345Z", Some("2026-11-22T10:11:12.345Z")),
            ("2026-11-22T12:11:12+02:00", Some("2026-11-22T10:11:12.000Z")),
            ("2026-06-30T23:59:60Z", Some("2026-06-30T23:59:59.000Z")),
            ("2026-02-30T00:00:00Z", None),
            ("2026-11-22T24:61:00Z", None),
            ("2026-11-22T10:11:12", None),
            ("2026-11-22 10:11:12Z", None),
            ("", None),
        ] {
            assert_eq!(Time::parse(text).ok().map(|time| time.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn an_integer_in_another_unit_is_refused() {
        let decode = |text: &str| serde_json::from_str::<Time>(text);
        assert_eq!(decode("1795342272345").unwrap().millis(), 1_795_342_272_345);
        for wrong in ["1795342272", "1795342272345000", "-1", "18446744073709551615"] {
            assert!(decode(wrong).unwrap_err().to_string().starts_with("ts_unit_ambiguous"), "{wrong}");
        }
    }
}
