//! The rules that are in force, and how a changed file replaces them: whole, or not at all.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use event::{Refusal, Time};
use ledger::Registry;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::clock::now_ms;
use crate::guard::Guard;
use crate::rules::Rules;
use crate::signature::Signer;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is noted again when rules were first loaded: Redis may have been emptied.
const NOTE_EVERY: Duration = Duration::from_secs(60);
const FIRST_LOADED: &str = "first-loaded";

/// Rules and the secrets that sign what they send.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Raised by every load.
    pub(crate) generation: u64,
    pub(crate) rules: Rules,
    signers: HashMap<String, Signer>,
}

impl Live {
    pub(crate) fn signer(&self, endpoint: &str) -> Option<&Signer> {
        self.signers.get(endpoint)
    }

    fn parse(text: &str, guard: &Guard) -> Result<Self, Refusal> {
        let rules = Rules::parse(text, guard)
            .map_err(|refused| Refusal::new(refused.code, format!("line {}: {}", refused.line, refused.message)))?;
        let mut signers = HashMap::new();
        for endpoint in rules.endpoints() {
            if let Some(path) = &endpoint.secret_file {
                let signer = Signer::open(path).map_err(|refused| {
                    Refusal::new(refused.code, format!("endpoint {}: {}", endpoint.id, refused.message))
                })?;
                signers.insert(endpoint.id.clone(), signer);
            }
        }
        Ok(Self { generation: 0, rules, signers })
    }
}

/// A file's text, and when it was written: touching it is enough to load it again.
#[derive(PartialEq)]
struct Written {
    modified: Option<SystemTime>,
    text: String,
}

impl Written {
    fn read(path: &Path) -> std::io::Result<Self> {
        let modified = std::fs::metadata(path)?.modified().ok();
        Ok(Self { modified, text: std::fs::read_to_string(path)? })
    }
}

/// Watches the rules file.
pub(crate) struct Watcher {
    path: PathBuf,
    guard: Guard,
    registry: Registry,
    /// The file when it was last looked at, good or bad.
    seen: Option<Written>,
    /// When rules without `from` were first loaded, as the registry said.
    first_loaded: BTreeMap<String, Time>,
    noted_at: Instant,
    live: watch::Sender<Arc<Live>>,
    /// The code that the refusal metric shows.
    refused: Option<&'static str>,
}

impl Watcher {
    /// Loads the rules for the first time: there is no good file yet that a bad one could leave in force.
    pub(crate) async fn open(path: PathBuf, guard: Guard, registry: Registry) -> Result<Self> {
        let (live, _) = watch::channel(Arc::new(Live::default()));
        let first_loaded = BTreeMap::new();
        let noted_at = Instant::now();
        let mut watcher = Self { path, guard, registry, seen: None, first_loaded, noted_at, live, refused: None };
        let bad = |reason: String| {
            let path = watcher.path.display();
            service::bad_configuration(format!(
                "postbacks.rules: {path}: {reason}; check it with `attributary rules check`"
            ))
        };
        let written = Written::read(&watcher.path).map_err(|error| bad(error.to_string()))?;
        let loaded = Live::parse(&written.text, &watcher.guard).map_err(|refused| bad(refused.to_string()))?;
        watcher.seen = Some(written);
        watcher.enforce(loaded).await?;
        Ok(watcher)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Live>> {
        self.live.subscribe()
    }

    /// Looks at the file until shutdown. What goes wrong leaves the rules in force as they are.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<()> {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut trouble = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                _ = tick.tick() => {}
            }
            let looked = self.look().await.err().map(|error| format!("{error:#}"));
            if let Some(reason) = looked.as_ref().filter(|reason| trouble.as_ref() != Some(*reason)) {
                error!(path = %self.path.display(), reason, "the rules in force stay");
            }
            trouble = looked;
        }
    }

    async fn look(&mut self) -> Result<()> {
        if self.noted_at.elapsed() > NOTE_EVERY {
            self.noted_at = Instant::now();
            let known: Vec<String> = self.first_loaded.keys().cloned().collect();
            self.note(known).await?;
        }
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || Written::read(&path)).await?.context("cannot be read")?;
        if self.seen.as_ref() == Some(&written) {
            return Ok(());
        }
        match Live::parse(&written.text, &self.guard) {
            Ok(loaded) => {
                self.enforce(loaded).await?;
                self.show_refused(None);
            }
            Err(refused) => {
                error!(path = %self.path.display(), %refused, "bad rules file: the rules in force stay");
                self.show_refused(Some(refused.code));
            }
        }
        self.seen = Some(written); // not before the rules are in force: what failed is tried again
        Ok(())
    }

    /// Puts rules in force, once it is known when those without `from` begin.
    async fn enforce(&mut self, mut loaded: Live) -> Result<()> {
        let without_from = loaded.rules.rules().iter().filter(|rule| rule.from.is_none());
        let unknown = without_from.filter(|rule| !self.first_loaded.contains_key(&rule.id)).map(|rule| rule.id.clone());
        self.note(unknown.collect()).await?;
        loaded.rules.begin(|rule| self.first_loaded.get(rule).copied());
        loaded.generation = self.live.borrow().generation + 1;
        let (rules, endpoints) = (loaded.rules.rule_count(), loaded.rules.endpoint_count());
        info!(rules, endpoints, "rules loaded");
        metrics::gauge!("postbacks_rules").set(rules as f64);
        self.live.send_replace(Arc::new(loaded));
        Ok(())
    }

    /// Notes when rules were first loaded, unless that is known already, and keeps what is known.
    async fn note(&mut self, rules: Vec<String>) -> Result<()> {
        for rule in rules {
            let now = self.first_loaded.get(&rule).map_or_else(now_ms, |time| time.millis());
            let stands = self.registry.first(FIRST_LOADED, &rule, &now.to_string()).await?;
            let millis = stands.parse().context("when a rule was first loaded reads no number")?;
            self.first_loaded.insert(rule, Time::from_trusted_millis(millis));
        }
        Ok(())
    }

    fn show_refused(&mut self, code: Option<&'static str>) {
        if let Some(earlier) = self.refused.take() {
            metrics::gauge!("postbacks_rules_refused", "code" => earlier).set(0.0);
        }
        if let Some(code) = code {
            metrics::gauge!("postbacks_rules_refused", "code" => code).set(1.0);
        }
        self.refused = code;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_cannot_sign_refuses_the_file_and_names_the_endpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let text = format!("[[endpoint]]\nid = \"acme\"\nurl = \"https://h.example/\"\nsecret_file = {path:?}\n");
        let parse = || Live::parse(&text, &Guard::default());
        let refused = parse().unwrap_err();
        assert!(refused.message.starts_with("endpoint acme: secret_file cannot be read"), "{refused}");
        std::fs::write(&path, "whsec_c2hvcnQ=").unwrap();
        let refused = parse().unwrap_err();
        assert_eq!(refused.code, "secret_format");
        assert!(!refused.message.contains("c2hvcnQ"), "{refused}");
        std::fs::write(&path, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n").unwrap();
        assert!(parse().unwrap().signer("acme").is_some());
    }

    #[test]
    fn a_file_that_is_touched_counts_as_changed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let before = Written::read(file.path()).unwrap();
        assert!(before == Written::read(file.path()).unwrap());
        file.as_file().set_modified(std::time::UNIX_EPOCH + Duration::from_secs(5)).unwrap();
        assert!(before != Written::read(file.path()).unwrap());
    }
}
