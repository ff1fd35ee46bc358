//! When something is sent.

use event::{AppId, Refusal, Time};
use toml::Spanned;

use super::check_name;
use super::file::RuleEntry;
use super::located::{Locate, Located};
use crate::field::quoted;
use crate::filter::{self, Filter};

/// A rule is entered in the index once per combination of what it names.
const MOST_ENTRIES: usize = 10_000;

/// The topics that rules may listen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    Installs,
    Events,
}

/// A checked rule. An absent list stands for everything.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) endpoint: String,
    pub(crate) topic: Topic,
    /// Events of this time and later; absent until it is known when the rule was first loaded.
    pub(crate) from: Option<Time>,
    pub(crate) apps: Option<Vec<String>>,
    pub(crate) event_names: Option<Vec<String>>,
    pub(crate) media_sources: Option<Vec<String>>,
    pub(crate) when: Option<Filter>,
}

impl Topic {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Installs => event::topic::INSTALLS,
            Self::Events => event::topic::EVENTS,
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Installs, Self::Events].into_iter().find(|topic| topic.as_str() == name)
    }
}

impl Rule {
    pub(super) fn check(entry: RuleEntry) -> Result<Self, Located> {
        check_name(entry.id.get_ref()).at(&entry.id.span())?;
        let unknown = || {
            Refusal::new("rule_invalid", format!("topic is installs or events, not {}", quoted(entry.topic.get_ref())))
        };
        let topic = Topic::parse(entry.topic.get_ref()).ok_or_else(unknown).at(&entry.topic.span())?;
        if let Some(names) = entry.event_names.as_ref().filter(|_| topic == Topic::Installs) {
            return Err(Refusal::new("rule_invalid", "an install has no event name")).at(&names.span());
        }
        let span = entry.id.span();
        let rule = Self {
            id: entry.id.into_inner(),
            endpoint: entry.endpoint.into_inner(),
            topic,
            from: entry.from.map(from).transpose()?,
            apps: entry.apps.map(|list| names(list, |name| AppId::new(name).map(drop))).transpose()?,
            event_names: entry.event_names.map(|list| names(list, event_name)).transpose()?,
            media_sources: entry.media_sources.map(|list| names(list, media_source)).transpose()?,
            when: entry.when.map(filter::compile).transpose()?,
        };
        if rule.entries() > MOST_ENTRIES {
            let message = format!("at most {MOST_ENTRIES} combinations of apps, event_names and media_sources");
            return Err(Refusal::new("filter_too_complex", message)).at(&span);
        }
        Ok(rule)
    }

    fn entries(&self) -> usize {
        let count = |names: &Option<Vec<String>>| names.as_ref().map_or(1, Vec::len);
        count(&self.apps).saturating_mul(count(&self.event_names)).saturating_mul(count(&self.media_sources))
    }
}

fn from(value: Spanned<toml::Value>) -> Result<Time, Located> {
    let text = match value.get_ref() {
        toml::Value::String(text) => text.clone(),
        toml::Value::Datetime(time) => time.to_string(),
        _ => String::new(),
    };
    Time::parse(&text).at(&value.span())
}

fn names(list: Spanned<Vec<String>>, check: impl Fn(&str) -> Result<(), Refusal>) -> Result<Vec<String>, Located> {
    let span = list.span();
    let mut list = list.into_inner();
    if list.is_empty() {
        return Err(Refusal::new("rule_invalid", "an empty list matches nothing; leave it out to match everything"))
            .at(&span);
    }
    for name in &list {
        check(name).at(&span)?;
    }
    list.sort_unstable();
    list.dedup();
    Ok(list)
}

fn event_name(name: &str) -> Result<(), Refusal> {
    event::EventName::new(name).map(drop)
}

fn media_source(name: &str) -> Result<(), Refusal> {
    event::Text::<150>::new(name).map(drop)
}
