//! How to reach Redis, and the one way an error of Redis becomes an error of the stage. Whether it is one server, the primary
//! that sentinels name, or a cluster, is known here and nowhere else.

mod blocking;
mod cluster;
mod place;
mod sentinel;
mod shared;

use std::time::Duration;

use redis::{Client, ConnectionInfo, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use serde::{Deserialize, Serialize};
use stream::{Error, Result};

use place::Place;

pub(crate) use blocking::Connection;
pub(crate) use shared::Shared;

/// The configuration section `redis`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// `redis://user:password@host:port/database`, `redis+sentinel://host:port,host:port/primary/database`, or
    /// `redis+cluster://host:port,host:port`; with `rediss` for TLS.
    pub url: String,
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub response_timeout: Duration,
    /// Part of every key: a new generation is built from Kafka beside the old one.
    pub generation: u32,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379/0".into(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            generation: 1,
        }
    }
}

impl Redis {
    fn place(&self) -> Result<Place> {
        Place::parse(&self.url).map_err(|error| Error::configuration(format!("redis.url: {error}")))
    }

    /// A connection that no command keeps longer than `response_timeout`.
    fn dial(&self, server: &ConnectionInfo) -> RedisResult<redis::Connection> {
        let connection = Client::open(server.clone())?.get_connection_with_timeout(self.connect_timeout)?;
        connection.set_read_timeout(Some(self.response_timeout))?;
        connection.set_write_timeout(Some(self.response_timeout))?;
        Ok(connection)
    }
}

/// Says at the start what is wrong with the address, or which Redis does not answer and how to start one.
fn explain(place: &Place, error: &RedisError) -> Error {
    use ErrorKind::{AuthenticationFailed, InvalidClientConfig, MasterNameNotFoundBySentinel};
    let text = error.to_string();
    if text.contains("cluster support disabled") {
        return Error::configuration(format!("redis.url: {place} is not a cluster: write redis://host:port/database"));
    }
    if matches!(error.kind(), AuthenticationFailed | InvalidClientConfig | MasterNameNotFoundBySentinel) {
        return Error::configuration(format!("redis.url: {place}: {text}"));
    }
    Error::unreachable(format!(
        "cannot reach Redis at {place} (redis.url): {text}; start one with `docker compose up redis`, \
         or set ATTRIBUTARY__REDIS__URL"
    ))
}

/// Every error of Redis leads to the one recovery; a timeout never means "not applied".
fn transient(place: &Place, error: &RedisError) -> Error {
    Error::transient(match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly) => format!("redis at {place} is a replica: {error}"),
        ErrorKind::Server(ServerErrorKind::TryAgain) => {
            format!("redis at {place}: the slot of a partition is moving to another node: {error}")
        }
        _ => format!("redis at {place}: {error}"),
    })
}
