//! What Redis is and how it is set: what the promises need, and what endangers them.

use redis::InfoDict;
use stream::{Error, Result};
use tracing::warn;

use crate::connection::{Connection, Redis};

/// What `doctor` and every start look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub version: String,
    pub maxmemory_policy: String,
    pub append_only: bool,
    /// `None` where the server does not let itself be asked.
    pub loads_truncated: Option<bool>,
}

/// Connects and looks.
pub fn inspect(redis: &Redis) -> Result<Facts> {
    look(&mut Connection::open(redis)?)
}

/// Refuses a Redis that may evict; warns loudly where a crash may leave it wrong.
pub(crate) fn require_safe(connection: &mut Connection) -> Result<()> {
    let facts = look(connection)?;
    if facts.maxmemory_policy != "noeviction" {
        return Err(Error::configuration(format!(
            "redis has maxmemory-policy {}: it may evict counters; set it with `redis-cli config set maxmemory-policy noeviction`",
            facts.maxmemory_policy
        )));
    }
    if !facts.append_only {
        warn!(
            "redis has appendonly off: a crash loses counters until they are rebuilt from Kafka; use deploy/redis.conf"
        );
    }
    if facts.loads_truncated == Some(true) && facts.append_only {
        warn!("redis has aof-load-truncated on: a torn append-only file may be applied in half; use deploy/redis.conf");
    }
    Ok(())
}

fn look(connection: &mut Connection) -> Result<Facts> {
    let (info,): (InfoDict,) = connection.query(redis::pipe().cmd("INFO"))?;
    let text = |key: &str| info.get::<String>(key).unwrap_or_default();
    // CONFIG is forbidden on many managed servers; INFO tells the rest.
    let asked: Result<(Vec<String>,)> =
        connection.query(redis::pipe().cmd("CONFIG").arg("GET").arg("aof-load-truncated"));
    let loads_truncated = asked.ok().and_then(|(pair,)| pair.get(1).map(|value| value == "yes"));
    Ok(Facts {
        version: text("redis_version"),
        maxmemory_policy: text("maxmemory_policy"),
        append_only: text("aof_enabled") == "1",
        loads_truncated,
    })
}
