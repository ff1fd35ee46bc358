//! Notes that belong to no partition, such as when a rule was first loaded.

use redis::aio::ConnectionManager;
use stream::Result;

use crate::connection::{Redis, transient};

#[derive(Clone)]
pub struct Registry {
    manager: ConnectionManager,
    service: String,
}

impl Registry {
    pub async fn open(redis: &Redis, service: &str) -> Result<Self> {
        Ok(Self { manager: redis.manager().await?, service: service.to_owned() })
    }

    /// Notes a value unless one stands there already, and answers which stands there now.
    pub async fn first(&self, key: &str, field: &str, value: &str) -> Result<String> {
        let key = format!("{{{}}}:{key}", self.service);
        let (stands,): (String,) = redis::pipe()
            .atomic()
            .cmd("HSETNX")
            .arg(&key)
            .arg(field)
            .arg(value)
            .ignore()
            .cmd("HGET")
            .arg(&key)
            .arg(field)
            .query_async(&mut self.manager.clone())
            .await
            .map_err(transient)?;
        Ok(stands)
    }
}
