//! The connection of a stage: synchronous, and dropped at the first error. Whether that command was applied, the position
//! tells; an answer that comes late finds nobody.

use redis::cluster_async::ClusterConnection;
use redis::{Cmd, FromRedisValue, Pipeline, RedisResult, Value};
use stream::{Error, Result};
use tokio::runtime::{Builder, Runtime};

use super::place::Place;
use super::{Redis, cluster, explain, transient};
use crate::script;

pub(crate) struct Connection {
    redis: Redis,
    place: Place,
    open: Option<Open>,
}

enum Open {
    Server(redis::Connection),
    /// The library's synchronous cluster client follows no slot that moves within a pipeline; the asynchronous one does.
    Cluster(Runtime, ClusterConnection),
}

impl Connection {
    /// Connects at once, so that a missing server is noticed at start.
    pub(crate) fn open(redis: &Redis) -> Result<Self> {
        let place = redis.place()?;
        let open = dial(redis, &place).map_err(|error| explain(&place, &error))?;
        Ok(Self { redis: redis.clone(), place, open: Some(open) })
    }

    /// One round trip: on a cluster, one to each node. No order among the commands is promised, and no answer is ignored.
    pub(crate) fn query<T: FromRedisValue>(&mut self, pipeline: &Pipeline) -> Result<T> {
        self.with(|open| match open {
            Open::Server(connection) => pipeline.query(connection),
            Open::Cluster(runtime, connection) => {
                let answers = runtime.block_on(cluster::spread(connection, pipeline))?;
                Ok(redis::from_redis_value(Value::Array(answers))?)
            }
        })
    }

    /// Asks every server that holds keys of ours; the answers come with their addresses.
    pub(crate) fn each_primary(&mut self, command: &Cmd) -> Result<Vec<(String, Value)>> {
        let address = self.place.to_string();
        self.with(|open| match open {
            Open::Server(connection) => Ok(vec![(address, command.query(connection)?)]),
            Open::Cluster(runtime, connection) => {
                runtime.block_on(cluster::each_primary(connection.clone(), command.clone()))
            }
        })
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.place, Place::Cluster(_))
    }

    fn with<T>(&mut self, ask: impl FnOnce(&mut Open) -> RedisResult<T>) -> Result<T> {
        let place = &self.place;
        let failed = |error| -> Error { transient(place, &error) };
        let mut open = match self.open.take() {
            Some(open) => open,
            None => dial(&self.redis, place).map_err(failed)?,
        };
        let answer = ask(&mut open).map_err(failed)?;
        self.open = Some(open);
        Ok(answer)
    }
}

fn dial(redis: &Redis, place: &Place) -> RedisResult<Open> {
    let mut connection = match place {
        Place::Server(server) => redis.dial(server)?,
        Place::Sentinel(sentinels) => sentinels.dial(redis)?.1,
        Place::Cluster(nodes) => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let connection = runtime.block_on(cluster::dial(redis, nodes))?;
            return Ok(Open::Cluster(runtime, connection));
        }
    };
    for script in script::all() {
        script.prepare_invoke().load(&mut connection)?;
    }
    Ok(Open::Server(connection))
}
