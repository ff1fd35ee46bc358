//! The `when` of a rule: conditions on fields, joined by `all`, `any` and `not`.

mod literal;
mod parse;

use std::borrow::Cow;

use serde_json::Value;

use crate::field::Field;
use literal::{Bound, Literal};

pub(crate) use parse::{When, compile};

#[derive(Clone, Debug)]
pub(crate) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Test(Condition),
}

/// One operator on one field. What is absent equals nothing, is greater than nothing and lies outside every list.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    field: Field,
    /// The field as the rule calls it, for whoever asks why nothing was sent.
    name: String,
    operator: Operator,
}

#[derive(Clone, Debug)]
enum Operator {
    Eq(Literal),
    Ne(Literal),
    In(Vec<Literal>),
    NotIn(Vec<Literal>),
    Gt(Bound),
    Gte(Bound),
    Lt(Bound),
    Lte(Bound),
    StartsWith(String),
    Exists(bool),
}

impl Filter {
    pub(crate) fn matches(&self, event: &Value) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.matches(event)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(event)),
            Self::Not(filter) => !filter.matches(event),
            Self::Test(condition) => condition.matches(event),
        }
    }

    /// Why the event does not match, in words; nothing when it does.
    pub(crate) fn why_not(&self, event: &Value) -> Option<String> {
        match self {
            _ if self.matches(event) => None,
            Self::All(filters) => filters.iter().find_map(|filter| filter.why_not(event)),
            Self::Any(filters) => {
                let reasons: Vec<String> = filters.iter().filter_map(|filter| filter.why_not(event)).collect();
                Some(format!("none of: {}", reasons.join("; ")))
            }
            Self::Not(_) => Some("a condition under not is met".to_owned()),
            Self::Test(condition) => Some(condition.why_not(event)),
        }
    }
}

impl Condition {
    fn matches(&self, event: &Value) -> bool {
        let found = self.field.find(event);
        let value = found.as_deref();
        match &self.operator {
            Operator::Eq(literal) => literal.equals(value),
            Operator::Ne(literal) => !literal.equals(value),
            Operator::In(literals) => literals.iter().any(|literal| literal.equals(value)),
            Operator::NotIn(literals) => !literals.iter().any(|literal| literal.equals(value)),
            Operator::Gt(bound) => bound.compare(value).is_some_and(|order| order.is_gt()),
            Operator::Gte(bound) => bound.compare(value).is_some_and(|order| order.is_ge()),
            Operator::Lt(bound) => bound.compare(value).is_some_and(|order| order.is_lt()),
            Operator::Lte(bound) => bound.compare(value).is_some_and(|order| order.is_le()),
            Operator::StartsWith(prefix) => value.and_then(Value::as_str).is_some_and(|text| text.starts_with(prefix)),
            Operator::Exists(expected) => value.is_some() == *expected,
        }
    }

    fn why_not(&self, event: &Value) -> String {
        let found = self.field.find(event);
        let found = found.map_or(Cow::Borrowed("absent"), |value| Cow::Owned(value.to_string()));
        format!("{} is {found}, which {}", self.name, self.operator.missed())
    }
}

impl Operator {
    /// What a value that does not match is not.
    fn missed(&self) -> String {
        let list = |literals: &[Literal]| literals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Eq(literal) => format!("is not {literal}"),
            Self::Ne(literal) => format!("is {literal}"),
            Self::In(literals) => format!("is not in [{}]", list(literals)),
            Self::NotIn(literals) => format!("is in [{}]", list(literals)),
            Self::Gt(bound) => format!("is not above {bound}"),
            Self::Gte(bound) => format!("is not {bound} or above"),
            Self::Lt(bound) => format!("is not below {bound}"),
            Self::Lte(bound) => format!("is not {bound} or below"),
            Self::StartsWith(prefix) => format!("does not start with {prefix:?}"),
            Self::Exists(true) => "must exist".to_owned(),
            Self::Exists(false) => "must not exist".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
