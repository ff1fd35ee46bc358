//! How to reach Redis, and the one way an error of Redis becomes an error of the stage.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, RedisError, ServerErrorKind};
use serde::{Deserialize, Serialize};
use stream::{Error, Result};

use crate::script;

/// The configuration section `redis`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// `redis://user:password@host:port/database`; `rediss://` for TLS.
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
    fn client(&self) -> Result<Client> {
        Client::open(self.url.as_str()).map_err(|error| Error::configuration(format!("redis.url: {error}")))
    }

    /// A connection for the asynchronous edges; it reconnects by itself.
    pub(crate) async fn manager(&self) -> Result<ConnectionManager> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout))
            .set_number_of_retries(1);
        ConnectionManager::new_with_config(self.client()?, config).await.map_err(|error| self.explain(error))
    }

    /// Says which Redis does not answer, and how to start one.
    fn explain(&self, error: RedisError) -> Error {
        if matches!(error.kind(), ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig) {
            return Error::configuration(format!("redis.url: {error}"));
        }
        Error::unreachable(format!(
            "cannot reach Redis at {} (redis.url): {error}; start one with `docker compose up redis`, \
             or set ATTRIBUTARY__REDIS__URL",
            self.address()
        ))
    }

    /// Host and port without user and password.
    pub(crate) fn address(&self) -> String {
        self.client().map(|client| client.get_connection_info().addr().to_string()).unwrap_or_default()
    }
}

/// A synchronous connection that is dropped at the first error: whether that command was applied, the position tells.
pub(crate) struct Connection {
    redis: Redis,
    open: Option<redis::Connection>,
}

impl Connection {
    /// Connects at once, so that a missing server is noticed at start.
    pub(crate) fn open(redis: &Redis) -> Result<Self> {
        let mut connection = Self { redis: redis.clone(), open: None };
        connection.open = Some(connection.connect().map_err(|error| redis.explain(error))?);
        Ok(connection)
    }

    pub(crate) fn query<T: redis::FromRedisValue>(&mut self, pipeline: &redis::Pipeline) -> Result<T> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().map_err(transient)?,
        };
        let answer = pipeline.query(&mut open).map_err(transient)?;
        self.open = Some(open);
        Ok(answer)
    }

    fn connect(&self) -> redis::RedisResult<redis::Connection> {
        let client = Client::open(self.redis.url.as_str())?;
        let mut connection = client.get_connection_with_timeout(self.redis.connect_timeout)?;
        connection.set_read_timeout(Some(self.redis.response_timeout))?;
        connection.set_write_timeout(Some(self.redis.response_timeout))?;
        script::load(&mut connection)?;
        Ok(connection)
    }
}

/// Every error of Redis leads to the one recovery; a timeout never means "not applied".
pub(crate) fn transient(error: RedisError) -> Error {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly) => Error::transient(format!("redis is a replica: {error}")),
        _ => Error::transient(format!("redis: {error}")),
    }
}
