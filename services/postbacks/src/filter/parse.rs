//! From the `when` of a rules file to a filter.

use event::Refusal;
use serde::Deserialize;
use toml::Spanned;

use super::literal::{Bound, Literal};
use super::{Condition, Filter, Operator};
use crate::field::Field;
use crate::rules::{Locate, Located};

const DEEPEST: usize = 8;
const MOST_CONDITIONS: usize = 100;
const MOST_VALUES: usize = 1_000;

/// Either one of `all`, `any` and `not`, or a field with at least one operator.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct When {
    all: Option<Vec<Spanned<When>>>,
    any: Option<Vec<Spanned<When>>>,
    not: Option<Box<Spanned<When>>>,
    field: Option<Spanned<String>>,
    eq: Option<Spanned<toml::Value>>,
    ne: Option<Spanned<toml::Value>>,
    r#in: Option<Spanned<Vec<toml::Value>>>,
    not_in: Option<Spanned<Vec<toml::Value>>>,
    gt: Option<Spanned<toml::Value>>,
    gte: Option<Spanned<toml::Value>>,
    lt: Option<Spanned<toml::Value>>,
    lte: Option<Spanned<toml::Value>>,
    starts_with: Option<Spanned<String>>,
    exists: Option<bool>,
}

/// Checks a filter and makes it ready to match.
pub(crate) fn compile(when: Spanned<When>) -> Result<Filter, Located> {
    Compiler { conditions: 0 }.filter(when, 1)
}

struct Compiler {
    conditions: usize,
}

impl Compiler {
    fn filter(&mut self, when: Spanned<When>, depth: usize) -> Result<Filter, Located> {
        let span = when.span();
        if depth > DEEPEST {
            return Err(too_complex(format!("at most {DEEPEST} levels of all, any and not"))).at(&span);
        }
        let mut when = when.into_inner();
        let parts = (when.all.take(), when.any.take(), when.not.take(), when.field.take());
        match parts {
            (Some(all), None, None, None) if when.has_no_operator() => Ok(Filter::All(self.filters(all, depth)?)),
            (None, Some(any), None, None) if when.has_no_operator() => Ok(Filter::Any(self.filters(any, depth)?)),
            (None, None, Some(not), None) if when.has_no_operator() => {
                Ok(Filter::Not(Box::new(self.filter(*not, depth + 1)?)))
            }
            (None, None, None, Some(field)) => self.conditions(field, when),
            _ => {
                let message = "a condition is one of all, any, not, or a field with an operator";
                Err(Refusal::new("rule_invalid", message)).at(&span)
            }
        }
    }

    fn filters(&mut self, filters: Vec<Spanned<When>>, depth: usize) -> Result<Vec<Filter>, Located> {
        filters.into_iter().map(|filter| self.filter(filter, depth + 1)).collect()
    }

    /// Several operators on one field hold together: `{ field = "revenue", gte = 1, lt = 10 }`.
    fn conditions(&mut self, field: Spanned<String>, when: When) -> Result<Filter, Located> {
        let span = field.span();
        let name = field.into_inner();
        let field = Field::parse(&name).at(&span)?;
        let operators = when.operators()?;
        self.conditions += operators.len();
        if self.conditions > MOST_CONDITIONS {
            return Err(too_complex(format!("at most {MOST_CONDITIONS} conditions in one rule"))).at(&span);
        }
        let mut tests: Vec<Filter> = operators
            .into_iter()
            .map(|operator| Filter::Test(Condition { field: field.clone(), name: name.clone(), operator }))
            .collect();
        match (tests.pop(), tests.is_empty()) {
            (None, _) => Err(Refusal::new("rule_invalid", "a field without an operator")).at(&span),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                tests.push(last);
                Ok(Filter::All(tests))
            }
        }
    }
}

impl When {
    fn operators(self) -> Result<Vec<Operator>, Located> {
        let literal = |value: Spanned<toml::Value>| Literal::parse(value.get_ref()).at(&value.span());
        let bound = |value: Spanned<toml::Value>| Bound::parse(value.get_ref()).at(&value.span());
        let found = [
            self.eq.map(literal).transpose()?.map(Operator::Eq),
            self.ne.map(literal).transpose()?.map(Operator::Ne),
            self.r#in.map(literals).transpose()?.map(Operator::In),
            self.not_in.map(literals).transpose()?.map(Operator::NotIn),
            self.gt.map(bound).transpose()?.map(Operator::Gt),
            self.gte.map(bound).transpose()?.map(Operator::Gte),
            self.lt.map(bound).transpose()?.map(Operator::Lt),
            self.lte.map(bound).transpose()?.map(Operator::Lte),
            self.starts_with.map(|prefix| Operator::StartsWith(prefix.into_inner())),
            self.exists.map(Operator::Exists),
        ];
        Ok(found.into_iter().flatten().collect())
    }

    fn has_no_operator(&self) -> bool {
        let values = [&self.eq, &self.ne, &self.gt, &self.gte, &self.lt, &self.lte];
        let lists = [&self.r#in, &self.not_in];
        values.iter().all(|value| value.is_none())
            && lists.iter().all(|list| list.is_none())
            && self.starts_with.is_none()
            && self.exists.is_none()
    }
}

fn literals(values: Spanned<Vec<toml::Value>>) -> Result<Vec<Literal>, Located> {
    let span = values.span();
    match values.get_ref().len() {
        0 => Err(Refusal::new("rule_invalid", "a list without a value")).at(&span),
        received if received > MOST_VALUES => {
            Err(too_complex(format!("at most {MOST_VALUES} values in a list, received {received}"))).at(&span)
        }
        _ => values.get_ref().iter().map(Literal::parse).collect::<Result<_, _>>().at(&span),
    }
}

fn too_complex(message: String) -> Refusal {
    Refusal::new("filter_too_complex", message)
}
