//! What can be set.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::address::{Addresses, HashKey};
use crate::apps::AppsWatch;
use crate::prepare::UnknownFields;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub kafka: stream::Kafka,
    pub http: Http,
    pub apps: AppsFile,
    pub ingest: Ingest,
}

/// The public door.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where events, clicks and impressions come in.
    pub listen: SocketAddr,
    /// How many connections may be open; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// How long a connection may take to its first byte, and from there to the end of its headers.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// How long a body may take in all; it must also come with at least 1 KiB/s.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// How long a connection may stay open between two requests.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppsFile {
    /// The apps and their keys; read again when it changes.
    pub file: PathBuf,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ingest {
    /// Takes events for any app without a key: for demos and tests.
    pub open: bool,
    /// A file with 32 hex digits: the key of the address hashes, the same in every replica. Without one, an open
    /// ingest makes a key at each start; a closed one does not start.
    pub hash_key_file: Option<PathBuf>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks of data centres: addresses in them get the class `hosting`.
    pub hosting_networks: Vec<IpNet>,
    /// Whether a field that no type knows is kept or refused.
    pub unknown_fields: UnknownFields,
    /// How many requests a second one key may send; 0: as many as Kafka takes.
    pub requests_per_second: u32,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            max_connections: 10_000,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
        }
    }
}

impl Default for AppsFile {
    fn default() -> Self {
        Self { file: PathBuf::from("/etc/attributary/apps.toml") }
    }
}

impl Config {
    /// Reads the apps file. Only an open ingest starts without one.
    pub(crate) fn open_apps(&self) -> anyhow::Result<AppsWatch> {
        let path = &self.apps.file;
        if self.ingest.open && !path.exists() {
            return Ok(AppsWatch::empty(path));
        }
        AppsWatch::open(path)
    }

    pub(crate) fn open_addresses(&self) -> anyhow::Result<Addresses> {
        let key = match &self.ingest.hash_key_file {
            Some(path) => HashKey::read(path)?,
            None if self.ingest.open => {
                tracing::warn!(
                    "ingest.open without ingest.hash_key_file: address hashes use a public key, for trying out only"
                );
                HashKey::PUBLIC
            }
            None => None.context("ingest.hash_key_file must name a file with 32 hex digits (openssl rand -hex 16)")?,
        };
        Ok(Addresses {
            key,
            trusted_proxies: self.ingest.trusted_proxies.clone(),
            hosting_networks: self.ingest.hosting_networks.clone(),
        })
    }
}
