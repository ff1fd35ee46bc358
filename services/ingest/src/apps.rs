//! The apps that may send, and their keys: one file, read again when it changes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use event::{AppId, Currency};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

/// What the file says, checked.
#[derive(Debug, Default)]
pub struct Apps {
    apps: HashMap<String, App>,
    keys: Vec<Key>,
}

#[derive(Debug)]
pub struct App {
    pub store_url: Option<Url>,
    pub currency: Option<Currency>,
}

#[derive(Debug)]
struct Key {
    digest: [u8; 32],
    grant: Grant,
}

/// What one key may do: send for one app, in some roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub key: String,
    pub app: String,
    pub scopes: Vec<Scope>,
}

/// Who holds a key: the app itself on a device, or a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Sdk,
    S2s,
}

impl Apps {
    /// Reads the text of an apps file; the first thing wrong with it is the error.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let file: AppsFile = toml::from_str(text)?;
        let mut apps = Self::default();
        for entry in file.app {
            apps.add(&entry).with_context(|| format!("app {:?}", entry.id))?;
        }
        Ok(apps)
    }

    pub fn app(&self, id: &str) -> Option<&App> {
        self.apps.get(id)
    }

    /// What a key grants; empty when nobody was given it. Every stored key is compared,
    /// each in constant time.
    pub fn grants(&self, key: &str) -> Vec<Grant> {
        let presented = Sha256::digest(key.as_bytes());
        let equal = |key: &&Key| bool::from(key.digest.as_slice().ct_eq(presented.as_slice()));
        self.keys.iter().filter(equal).map(|key| key.grant.clone()).collect()
    }

    fn add(&mut self, entry: &AppEntry) -> anyhow::Result<()> {
        AppId::new(entry.id.as_str())?;
        let store_url = entry.store_url.as_deref().map(store_url).transpose()?;
        let currency = entry.currency.as_deref().map(Currency::parse).transpose()?;
        for key in &entry.keys {
            ensure!(!key.scopes.is_empty(), "key {:?} has no scopes", key.id);
            let mut digest = [0; 32];
            hex::decode_to_slice(&key.sha256, &mut digest)
                .with_context(|| format!("key {:?}: sha256 must be 64 hex digits", key.id))?;
            let grant = Grant { key: key.id.clone(), app: entry.id.clone(), scopes: key.scopes.clone() };
            self.keys.push(Key { digest, grant });
        }
        let earlier = self.apps.insert(entry.id.clone(), App { store_url, currency });
        ensure!(earlier.is_none(), "it is listed twice");
        Ok(())
    }
}

fn store_url(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).context("store_url")?;
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        bail!("store_url must be an http or https URL with a host");
    }
    Ok(url)
}

/// The file as it is written. `windows` and `probabilistic` are for attribution and not looked at here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppsFile {
    #[serde(default)]
    app: Vec<AppEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppEntry {
    id: String,
    store_url: Option<String>,
    currency: Option<String>,
    #[serde(rename = "windows")]
    _windows: Option<toml::Value>,
    #[serde(rename = "probabilistic")]
    _probabilistic: Option<toml::Value>,
    #[serde(default)]
    keys: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    id: String,
    sha256: String,
    scopes: Vec<Scope>,
}

/// The apps file in use. A bad file never replaces a good one.
pub(crate) struct AppsWatch {
    path: PathBuf,
    seen: Vec<u8>,
    current: watch::Sender<Arc<Apps>>,
}

impl AppsWatch {
    /// Reads the file for the first time; it must be good.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let seen = std::fs::read(path).with_context(|| format!("apps.file {}", path.display()))?;
        let apps = parse_bytes(&seen).with_context(|| format!("apps.file {}", path.display()))?;
        Ok(Self { path: path.to_owned(), seen, current: watch::Sender::new(Arc::new(apps)) })
    }

    /// Starts without any app, for a door that is open to all; the file is taken when it appears.
    pub(crate) fn empty(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: Vec::new(), current: watch::Sender::new(Arc::default()) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Apps>> {
        self.current.subscribe()
    }

    /// Looks at the file each second until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let path = self.path.clone();
            let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await?;
            self.look(read);
        }
        Ok(())
    }

    /// Takes what was read if it is new and good; says once what is wrong with it otherwise.
    fn look(&mut self, read: std::io::Result<Vec<u8>>) {
        let Ok(bytes) = read else { return self.note_unreadable() };
        if bytes == self.seen {
            return;
        }
        match parse_bytes(&bytes) {
            Ok(apps) => {
                tracing::info!(apps = apps.apps.len(), keys = apps.keys.len(), "apps file reloaded");
                metrics::gauge!("ingest_apps_file_good").set(1.0);
                self.current.send_replace(Arc::new(apps));
            }
            Err(error) => {
                tracing::error!(path = %self.path.display(), error = format!("{error:#}"), "apps file refused, the earlier one stays in use");
                metrics::gauge!("ingest_apps_file_good").set(0.0);
            }
        }
        self.seen = bytes;
    }

    /// An editor replaces a file in two steps: that it is gone for a moment is worth no line in the log.
    fn note_unreadable(&self) {
        if !self.seen.is_empty() {
            metrics::gauge!("ingest_apps_file_good").set(0.0);
        }
    }
}

fn parse_bytes(bytes: &[u8]) -> anyhow::Result<Apps> {
    Apps::parse(std::str::from_utf8(bytes).context("not UTF-8")?)
}

#[cfg(test)]
mod tests;
