//! The rules file, checked as a whole: either every rule in it can run, or the file is refused.

mod endpoint;
mod file;
mod index;
mod located;
mod rule;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use event::{Refusal, Time};
use serde_json::Value;

pub(crate) use endpoint::{Endpoint, Rate};
pub(crate) use index::Subject;
pub use located::FileRefusal;
pub(crate) use located::{Locate, Located};
pub(crate) use rule::Rule;
pub use rule::Topic;

use crate::field::quoted;
use crate::guard::Guard;
use file::File;
use index::Index;

const MOST_RULES: usize = 100_000;
const MOST_ENDPOINTS: usize = 1_000;

/// Rules and the endpoints that they name.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    endpoints: BTreeMap<String, Arc<Endpoint>>,
    rules: Vec<Rule>,
    ids: HashSet<String>,
    index: Index,
}

impl Rules {
    /// Checks a rules file. It reads no other file: the secrets are read where requests are signed.
    pub fn parse(text: &str, guard: &Guard) -> Result<Self, FileRefusal> {
        let file: File = toml::from_str(text).map_err(|error| FileRefusal::of_toml(&error, text))?;
        Self::check(file, guard).map_err(|located| located.in_file(text))
    }

    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    pub fn endpoint_count(&self) -> usize {
        self.endpoints.len()
    }

    pub(crate) fn endpoint(&self, id: &str) -> Option<&Arc<Endpoint>> {
        self.endpoints.get(id)
    }

    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.values()
    }

    pub(crate) fn has_rule(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Fills in where rules without `from` begin.
    pub(crate) fn begin(&mut self, first_loaded: impl Fn(&str) -> Option<Time>) {
        for rule in self.rules.iter_mut().filter(|rule| rule.from.is_none()) {
            rule.from = first_loaded(&rule.id);
        }
    }

    /// The rules whose topic, app, event name and media source fit an event.
    pub(crate) fn candidates<'s>(&'s self, subject: Subject<'s>) -> impl Iterator<Item = &'s Rule> {
        self.index.candidates(subject).filter_map(|number| self.rules.get(number))
    }

    fn check(file: File, guard: &Guard) -> Result<Self, Located> {
        let mut endpoints = BTreeMap::new();
        for entry in file.endpoint {
            let span = entry.get_ref().id.span();
            let endpoint = Endpoint::check(entry.into_inner(), guard)?;
            let id = endpoint.id.clone();
            if endpoints.insert(id.clone(), Arc::new(endpoint)).is_some() {
                return Err(Refusal::new("rule_conflict", format!("endpoint {} stands twice", quoted(&id)))).at(&span);
            }
            if endpoints.len() > MOST_ENDPOINTS {
                return Err(Refusal::new("range", format!("at most {MOST_ENDPOINTS} endpoints"))).at(&span);
            }
        }
        let mut rules: Vec<Rule> = Vec::new();
        let mut ids = HashSet::new();
        for entry in file.rule {
            let (span, endpoint) = (entry.get_ref().id.span(), entry.get_ref().endpoint.span());
            let rule = Rule::check(entry.into_inner())?;
            if !ids.insert(rule.id.clone()) {
                return Err(Refusal::new("rule_conflict", format!("rule {} stands twice", quoted(&rule.id)))).at(&span);
            }
            if !endpoints.contains_key(&rule.endpoint) {
                let message = format!("unknown endpoint {}", quoted(&rule.endpoint));
                return Err(Refusal::new("rule_invalid", message)).at(&endpoint);
            }
            if rules.len() == MOST_RULES {
                return Err(Refusal::new("range", format!("at most {MOST_RULES} rules"))).at(&span);
            }
            rules.push(rule);
        }
        let index = Index::of(&rules);
        Ok(Self { endpoints, rules, ids, index })
    }
}

impl Rule {
    /// Whether an event that the index found is one this rule tells of.
    pub(crate) fn applies(&self, event_time: Time, event: &Value) -> bool {
        self.from.is_some_and(|from| event_time >= from) && self.when.as_ref().is_none_or(|when| when.matches(event))
    }
}

/// Ids stand in Redis keys, metrics and logs.
fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return Err(Refusal::new("name_format", "an id is 1 to 64 of [A-Za-z0-9._-]"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
