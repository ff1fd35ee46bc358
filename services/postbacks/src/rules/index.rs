//! Finds the rules that may concern an event, at a cost that does not grow with the rules that do not.

use hashbrown::{Equivalent, HashMap};

use super::rule::{Rule, Topic};

/// What of an event the index looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject<'a> {
    pub(crate) topic: Topic,
    pub(crate) app_id: &'a str,
    pub(crate) event_name: Option<&'a str>,
    pub(crate) media_source: &'a str,
}

/// Numbers of rules by what they name; `None` is a rule that does not care.
#[derive(Clone, Debug, Default)]
pub(super) struct Index(HashMap<Key, Vec<usize>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    topic: Topic,
    app: Option<String>,
    event_name: Option<String>,
    media_source: Option<String>,
}

/// Hashes as a `Key` of the same words, without owning them.
#[derive(Hash)]
struct Lookup<'a> {
    topic: Topic,
    app: Option<&'a str>,
    event_name: Option<&'a str>,
    media_source: Option<&'a str>,
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.topic == key.topic
            && self.app == key.app.as_deref()
            && self.event_name == key.event_name.as_deref()
            && self.media_source == key.media_source.as_deref()
    }
}

impl Index {
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            for app in choices(&rule.apps) {
                for event_name in choices(&rule.event_names) {
                    for media_source in choices(&rule.media_sources) {
                        let (app, event_name) = (app.clone(), event_name.clone());
                        index
                            .0
                            .entry(Key { topic: rule.topic, app, event_name, media_source })
                            .or_default()
                            .push(number);
                    }
                }
            }
        }
        index
    }

    /// The rules whose topic, app, event name and media source fit: eight look-ups, whatever the number of rules.
    pub(super) fn candidates<'s>(&'s self, subject: Subject<'s>) -> impl Iterator<Item = usize> + 's {
        let Subject { topic, app_id, event_name, media_source } = subject;
        let names = [event_name, None].into_iter().take(1 + usize::from(event_name.is_some()));
        names
            .flat_map(move |event_name| [(event_name, Some(app_id)), (event_name, None)])
            .flat_map(move |(event_name, app)| {
                [Some(media_source), None].map(|media_source| Lookup { topic, app, event_name, media_source })
            })
            .filter_map(|lookup| self.0.get(&lookup))
            .flatten()
            .copied()
    }
}

fn choices(names: &Option<Vec<String>>) -> Vec<Option<String>> {
    match names {
        None => vec![None],
        Some(names) => names.iter().cloned().map(Some).collect(),
    }
}
