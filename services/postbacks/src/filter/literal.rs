//! The right-hand sides of conditions, and how they compare with what an event holds.

use std::cmp::Ordering;
use std::fmt;

use event::{Refusal, Time};
use serde_json::Value;

/// A value that a field may equal. Types do not mix, but a number equals its decimal text, which is how money travels.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Number(Number),
    Bool(bool),
}

/// A value that a field may lie above or below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    Number(Number),
    Time(Time),
}

/// Whole numbers compare exactly, others as floats; both are exact for every amount of money that is accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Float(f64),
}

impl Literal {
    pub(super) fn parse(value: &toml::Value) -> Result<Self, Refusal> {
        match value {
            toml::Value::String(text) => Ok(Self::Text(text.clone())),
            toml::Value::Boolean(truth) => Ok(Self::Bool(*truth)),
            value => number(value).map(Self::Number).ok_or_else(|| {
                Refusal::new("rule_invalid", format!("a {} is nothing that a field can equal", value.type_str()))
            }),
        }
    }

    /// A truth that is false is left out of a record: absent equals `false`.
    pub(super) fn equals(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Text(text), Some(Value::String(value))) => text == value,
            (Self::Bool(truth), Some(Value::Bool(value))) => truth == value,
            (Self::Bool(truth), None) => !truth,
            (Self::Number(number), Some(value)) => {
                Number::of(value).and_then(|value| value.compare(*number)).is_some_and(Ordering::is_eq)
            }
            _ => false,
        }
    }
}

impl Bound {
    pub(super) fn parse(value: &toml::Value) -> Result<Self, Refusal> {
        let time = match value {
            toml::Value::String(text) => Time::parse(text).ok(),
            toml::Value::Datetime(time) => Time::parse(&time.to_string()).ok(),
            _ => None,
        };
        let text_number = || value.as_str().and_then(Number::parse);
        time.map(Self::Time)
            .or_else(|| number(value).or_else(text_number).map(Self::Number))
            .ok_or_else(|| Refusal::new("rule_invalid", "what is compared must be a number or a time with a zone"))
    }

    /// How the event's value stands to this bound; nothing if it is absent or of another type.
    pub(super) fn compare(self, value: Option<&Value>) -> Option<Ordering> {
        match self {
            Self::Number(bound) => Number::of(value?)?.compare(bound),
            Self::Time(bound) => match value? {
                Value::String(text) => Some(Time::parse(text).ok()?.cmp(&bound)),
                value => Some(Time::from_millis(value.as_i64()?).ok()?.cmp(&bound)),
            },
        }
    }
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i64().map(Self::Whole).or_else(|| number.as_f64().map(Self::Float)),
            Value::String(text) => Self::parse(text),
            _ => None,
        }
    }

    /// Decimal digits only: the float parser alone would take `inf` and `1e3`.
    fn parse(text: &str) -> Option<Self> {
        if !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.')) {
            return None;
        }
        text.parse().map(Self::Whole).ok().or_else(|| text.parse().map(Self::Float).ok())
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => Some(left.cmp(&right)),
            _ => self.float().partial_cmp(&other.float()),
        }
    }

    fn float(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => number.fmt(f),
            Self::Bool(truth) => truth.fmt(f),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Time(time) => time.fmt(f),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
        }
    }
}

fn number(value: &toml::Value) -> Option<Number> {
    match value {
        toml::Value::Integer(number) => Some(Number::Whole(*number)),
        toml::Value::Float(number) if number.is_finite() => Some(Number::Float(*number)),
        _ => None,
    }
}
