//! Configuration in layers: defaults in code, a file, the environment, flags. Each value remembers where it came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::exit::bad_configuration;

const PREFIX: &str = "ATTRIBUTARY__";

/// The sections of all services. An environment is often shared: what is for another service is passed over, while a
/// section that no service has is a mistake.
const SUITE: [&str; 14] = [
    "admin",
    "apps",
    "batch",
    "canary",
    "dedupe",
    "hold",
    "http",
    "ingest",
    "kafka",
    "log",
    "postbacks",
    "redis",
    "reports",
    "shutdown",
];

/// The merged configuration as a tree, and for each leaf (by dotted key) the layer that set it.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    tree: Map<String, Value>,
    origins: BTreeMap<String, String>,
}

impl Layers {
    /// Starts with the defaults: they also tell which type a word from the environment must have.
    pub(crate) fn of_defaults(defaults: &impl Serialize) -> Result<Self> {
        let mut layers = Self::default();
        layers.add_defaults(defaults)?;
        Ok(layers)
    }

    pub(crate) fn add_defaults(&mut self, defaults: &impl Serialize) -> Result<()> {
        let Value::Object(tree) = serde_json::to_value(defaults)? else { return Ok(()) };
        self.merge(tree, "default");
        Ok(())
    }

    /// A file that was asked for must be there; one at its usual place may be.
    pub(crate) fn add_file(&mut self, asked: Option<&Path>, usual: &Path) -> Result<()> {
        let path: PathBuf = match asked {
            Some(path) => path.to_owned(),
            None if usual.exists() => usual.to_owned(),
            None => return Ok(()),
        };
        let source = config::File::from(path.as_path()).format(config::FileFormat::Toml);
        let tree = config::Config::builder()
            .add_source(source)
            .build()
            .and_then(config::Config::try_deserialize::<Map<String, Value>>)
            .map_err(|error| bad_configuration(format!("{}: {error}", path.display())))?;
        self.merge(tree, &path.display().to_string());
        Ok(())
    }

    /// `ATTRIBUTARY__KAFKA__BROKERS`; a name that ends in `_FILE` is read from the file it names.
    pub(crate) fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) -> Result<()> {
        for (name, value) in variables {
            let Some(path) = name.strip_prefix(PREFIX) else { continue };
            let key = path.to_ascii_lowercase().replace("__", ".");
            let section = key.split('.').next().unwrap_or_default();
            if SUITE.contains(&section) && !self.tree.contains_key(section) {
                continue;
            }
            match key.strip_suffix("_file") {
                Some(secret) if !self.origins.contains_key(&key) => {
                    let text = std::fs::read_to_string(&value).with_context(|| format!("{name}={value}"));
                    let text = text.map_err(|error| bad_configuration(format!("{error:#}")))?;
                    self.set(secret, text.trim_end(), &name)?;
                }
                _ => self.set(&key, &value, &name)?,
            }
        }
        Ok(())
    }

    /// Sets one key from a word; where the default is no string, the word is read as TOML.
    pub(crate) fn set(&mut self, key: &str, word: &str, origin: &str) -> Result<()> {
        let path: Vec<&str> = key.split('.').collect();
        // Where nothing tells, a word stays what it is: 5.10 is no number to a setting of librdkafka.
        let is_typed =
            matches!(self.at(&path), Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)));
        let value = match toml::from_str::<Map<String, Value>>(&format!("value = {word}")) {
            Ok(mut parsed) if is_typed => parsed.remove("value").unwrap_or_default(),
            _ => Value::String(word.to_owned()),
        };
        let tree =
            path.iter().rev().fold(value, |value, name| Value::Object(Map::from_iter([((*name).to_owned(), value)])));
        if let Value::Object(tree) = tree {
            self.merge(tree, origin);
        }
        Ok(())
    }

    /// Takes some sections out of the tree; what is left at the end is the service's own.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, sections: &[&str]) -> Result<T> {
        let taken = sections.iter().filter_map(|&name| Some((name.to_owned(), self.tree.get(name)?.clone()))).collect();
        sections.iter().for_each(|&name| drop(self.tree.remove(name)));
        self.decode(taken)
    }

    pub(crate) fn rest<T: DeserializeOwned>(&self) -> Result<T> {
        self.decode(self.tree.clone())
    }

    /// Every leaf with its value and its origin.
    pub(crate) fn leaves(&self) -> Vec<(String, Value, String)> {
        let leaf = |(key, origin): (&String, &String)| {
            let value = self.at(&key.split('.').collect::<Vec<_>>())?;
            Some((key.clone(), value.clone(), origin.clone()))
        };
        self.origins.iter().filter_map(leaf).collect()
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.tree.get(*first)?, |value, name| value.get(name))
    }

    fn merge(&mut self, tree: Map<String, Value>, origin: &str) {
        merge(&mut self.tree, tree, &mut |key| drop(self.origins.insert(key, origin.to_owned())), "");
    }

    /// Names the key and where it was set, since the layers are many.
    fn decode<T: DeserializeOwned>(&self, tree: Map<String, Value>) -> Result<T> {
        serde_path_to_error::deserialize(Value::Object(tree)).map_err(|error| {
            let path = error.path().to_string();
            let message = error.inner().to_string();
            let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            let key = match unknown {
                Some(name) if !path.ends_with(name) => {
                    format!("{path}.{name}").trim_start_matches("..").replace("?.", "")
                }
                _ => path,
            };
            let under = |known: &&String| known.as_str() == key || known.starts_with(&format!("{key}."));
            let origin = self.origins.keys().find(under).and_then(|known| self.origins.get(known));
            let origin = origin.map(|origin| format!(" (set by {origin})")).unwrap_or_default();
            bad_configuration(format!("configuration key {key}{origin}: {message}"))
        })
    }
}

/// Overlays `over` on `base`, and tells each leaf's key.
fn merge(base: &mut Map<String, Value>, over: Map<String, Value>, note: &mut dyn FnMut(String), prefix: &str) {
    for (name, value) in over {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match (base.get_mut(&name), value) {
            (Some(Value::Object(base)), Value::Object(over)) => merge(base, over, note, &key),
            (_, Value::Object(over)) => {
                let mut fresh = Map::new();
                merge(&mut fresh, over, note, &key);
                base.insert(name, Value::Object(fresh));
            }
            (_, value) => {
                note(key);
                base.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
