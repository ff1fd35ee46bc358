//! The rules file as it is written. Every value knows where it stands, so that a refusal can name the line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use crate::filter::When;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) endpoint: Vec<Spanned<EndpointEntry>>,
    #[serde(default)]
    pub(super) rule: Vec<Spanned<RuleEntry>>,
}

/// Where to send.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointEntry {
    pub(super) id: Spanned<String>,
    pub(super) url: Spanned<String>,
    /// `GET` or `POST`; GET if absent, POST where there is a body.
    pub(super) method: Option<Spanned<String>>,
    pub(super) body: Option<Spanned<String>>,
    /// `application/json` if absent.
    pub(super) content_type: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Spanned<String>>,
    /// Total, the body of the answer included; 5 s if absent, at most 30 s.
    pub(super) timeout: Option<Spanned<String>>,
    /// Requests at once; 8 if absent.
    pub(super) concurrency: Option<Spanned<i64>>,
    /// Such as `100/s` or `30/m`; 100/s if absent.
    pub(super) rate: Option<Spanned<String>>,
    /// The waits between attempts, instead of the usual ones.
    pub(super) retry: Option<Spanned<Vec<String>>>,
    /// Drops `k=v` from the query where the macros in `v` give nothing.
    #[serde(default)]
    pub(super) omit_empty: bool,
    pub(super) secret_file: Option<PathBuf>,
}

/// When to send.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleEntry {
    pub(super) id: Spanned<String>,
    pub(super) endpoint: Spanned<String>,
    pub(super) topic: Spanned<String>,
    pub(super) from: Option<Spanned<toml::Value>>,
    pub(super) apps: Option<Spanned<Vec<String>>>,
    pub(super) event_names: Option<Spanned<Vec<String>>>,
    pub(super) media_sources: Option<Spanned<Vec<String>>>,
    pub(super) when: Option<Spanned<When>>,
}
