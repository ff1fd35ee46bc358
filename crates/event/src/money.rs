//! Money: a decimal string and a currency, counted in millionths so that sums are exact.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

use crate::Refusal;

/// An amount in millionths of a currency unit; negative is a refund.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Micros(i64);

const SCALE: i64 = 1_000_000;
const LIMIT: i64 = 1_000_000_000;

impl Micros {
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn get(self) -> i64 {
        self.0
    }

    /// Takes plain decimal digits: no exponent, no thousands separator, at most 6 decimals, at most 10⁹ units.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = || {
            Refusal::new(
                "revenue_format",
                "revenue is a decimal string such as \"12.34\", without exponent or separators",
            )
        };
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(refuse());
        }
        if fraction.len() > 6 {
            let received = fraction.len();
            return Err(Refusal::new("revenue_scale", format!("at most 6 decimals, received {received}")));
        }
        let range = || Refusal::new("revenue_range", format!("at most {LIMIT} units in either direction"));
        let units: i64 = whole.parse().map_err(|_| range())?;
        if units > LIMIT {
            return Err(range());
        }
        let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| refuse())?;
        let micros = units * SCALE + fraction;
        if micros > LIMIT * SCALE {
            return Err(range());
        }
        Ok(Self(if negative { -micros } else { micros }))
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) =
            (self.0.unsigned_abs() / SCALE.unsigned_abs(), self.0.unsigned_abs() % SCALE.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        let fraction = format!("{fraction:06}");
        let short = fraction.trim_end_matches('0');
        write!(f, "{sign}{whole}.{short:0<2}")
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MicrosVisitor;
        impl de::Visitor<'_> for MicrosVisitor {
            type Value = Micros;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal string")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Micros, E> {
                Micros::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(MicrosVisitor)
    }
}

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Micros {
    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^-?[0-9]{1,10}(\.[0-9]{1,6})?$" })
    }
}

/// An ISO 4217 code of money that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        match iso_currency::Currency::from_code(text) {
            Some(currency) if !matches!(text, "XXX" | "XTS") => Ok(Self(currency)),
            _ => Err(Refusal::new("currency_unknown", "currency is an ISO 4217 code in capitals, such as USD")),
        }
    }

    pub fn as_str(self) -> &'static str {
        self.0.code()
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_or_refused() {
        for (text, expected) in [
            ("12.34", Ok(12_340_000)),
            ("-1", Ok(-1_000_000)),
            ("-0", Ok(0)),
            ("0.000001", Ok(1)),
            ("1000000000", Ok(1_000_000_000_000_000)),
            ("1000000000.000001", Err("revenue_range")),
            ("99999999999999999999", Err("revenue_range")),
            ("0.0000001", Err("revenue_scale")),
            ("1,234.5", Err("revenue_format")),
            ("1e3", Err("revenue_format")),
            ("NaN", Err("revenue_format")),
            (".5", Err("revenue_format")),
            ("1.", Err("revenue_format")),
            ("", Err("revenue_format")),
            ("+1", Err("revenue_format")),
        ] {
            assert_eq!(Micros::parse(text).map(Micros::get).map_err(|refusal| refusal.code), expected, "{text}");
        }
    }

    #[test]
    fn money_prints_two_decimals_or_as_many_as_it_has() {
        for (micros, expected) in [(12_340_000, "12.34"), (1, "0.000001"), (-5_000_000, "-5.00"), (0, "0.00")] {
            assert_eq!(Micros::new(micros).to_string(), expected);
        }
    }

    #[test]
    fn a_currency_is_iso_4217_in_capitals() {
        assert_eq!(Currency::parse("USD").unwrap().as_str(), "USD");
        for wrong in ["usd", "US", "XXX", "BTC", "€", ""] {
            assert_eq!(Currency::parse(wrong).unwrap_err().code, "currency_unknown", "{wrong}");
        }
    }
}
