//! What Redis is and how it is set: what the promises need, and what endangers them.

use std::collections::BTreeMap;

use redis::InfoDict;
use stream::{Error, Result};
use tracing::warn;

use crate::connection::{Connection, Redis};

/// What `doctor` and every start look at, of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub address: String,
    pub version: String,
    pub maxmemory_policy: String,
    pub append_only: bool,
    /// `None` where the server does not let itself be asked.
    pub loads_truncated: Option<bool>,
    /// Whether it is a node of a cluster.
    pub in_cluster: bool,
}

/// Connects and looks: at the one server, or at every primary of the cluster.
pub fn inspect(redis: &Redis) -> Result<Vec<Facts>> {
    look(&mut Connection::open(redis)?)
}

/// Refuses a Redis that may evict; warns loudly where a crash may leave it wrong.
pub(crate) fn require_safe(connection: &mut Connection) -> Result<()> {
    for facts in look(connection)? {
        let address = &facts.address;
        if let Some(reason) = facts.may_evict() {
            return Err(Error::configuration(reason));
        }
        if facts.in_cluster && !connection.is_cluster() {
            return Err(Error::configuration(format!(
                "redis.url: {address} is a node of a cluster: write redis+cluster://{address}"
            )));
        }
        if !facts.append_only {
            warn!(
                address,
                "redis has appendonly off: a crash loses counters until they are rebuilt from Kafka; use deploy/redis.conf"
            );
        }
        if facts.loads_truncated == Some(true) && facts.append_only {
            warn!(
                address,
                "redis has aof-load-truncated on: a torn append-only file may be applied in half; use deploy/redis.conf"
            );
        }
    }
    Ok(())
}

/// Why what is stored may vanish, where somebody has set a server so since it was opened.
pub(crate) fn may_evict(connection: &mut Connection) -> Result<Option<String>> {
    Ok(look(connection)?.iter().find_map(Facts::may_evict))
}

impl Facts {
    fn may_evict(&self) -> Option<String> {
        let Self { address, maxmemory_policy: policy, .. } = self;
        (policy != "noeviction").then(|| {
            format!(
                "redis at {address} has maxmemory-policy {policy}: it may evict counters; set it with \
                 `redis-cli config set maxmemory-policy noeviction`"
            )
        })
    }
}

fn look(connection: &mut Connection) -> Result<Vec<Facts>> {
    let infos: BTreeMap<_, _> = connection.each_primary(&redis::cmd("INFO"))?.into_iter().collect();
    // CONFIG is forbidden on many managed servers; INFO tells the rest.
    let settings = connection.each_primary(redis::cmd("CONFIG").arg("GET").arg("aof-load-truncated"));
    let settings: BTreeMap<_, _> = settings.unwrap_or_default().into_iter().collect();
    let facts = infos.into_iter().map(|(address, info)| {
        let info: InfoDict = redis::from_redis_value(info).map_err(Error::transient)?;
        let text = |key: &str| info.get::<String>(key).unwrap_or_default();
        let pair: Option<Vec<String>> =
            settings.get(&address).and_then(|pair| redis::from_redis_value(pair.clone()).ok());
        Ok(Facts {
            version: text("redis_version"),
            maxmemory_policy: text("maxmemory_policy"),
            append_only: text("aof_enabled") == "1",
            loads_truncated: pair.and_then(|pair| pair.get(1).map(|value| value == "yes")),
            in_cluster: text("cluster_enabled") == "1",
            address,
        })
    });
    facts.collect()
}
