//! The connection of the asynchronous edges: shared by all of them, and given up at the first error.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult,
    ServerErrorKind, Value,
};
use stream::Result;
use tokio::sync::OnceCell;

use super::place::Place;
use super::{Redis, cluster, explain, transient};
use crate::script;

/// Cheap to clone; all clones share one connection. Answers come in the order of the questions and are matched by it, so one
/// that comes too late is thrown away with its place in the order.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    redis: Redis,
    place: Place,
    /// Whoever comes first connects, the others wait for the outcome. After an error there is a new one.
    current: Mutex<Arc<Attempt>>,
}

type Attempt = OnceCell<RedisResult<Open>>;

#[derive(Clone)]
enum Open {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Shared {
    /// Connects at once, so that a missing server is noticed at start.
    pub(crate) async fn open(redis: &Redis) -> Result<Self> {
        let place = redis.place()?;
        let open = dial(redis, &place).await.map_err(|error| explain(&place, &error))?;
        let current = Mutex::new(Arc::new(OnceCell::from(Ok(open))));
        Ok(Self(Arc::new(Inner { redis: redis.clone(), place, current })))
    }

    pub(crate) async fn command<T: FromRedisValue>(&self, command: Cmd) -> Result<T> {
        let mut pipeline = redis::pipe();
        pipeline.add_command(command);
        let (answer,) = self.query(&pipeline).await?;
        Ok(answer)
    }

    /// One round trip: on a cluster, one to each node. No order among the commands is promised, and no answer is ignored.
    pub(crate) async fn query<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T> {
        let answers = match self.attempt(pipeline).await {
            // The server was emptied of scripts; a new connection loads them. What ran of the pipeline only read.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => self.attempt(pipeline).await,
            answers => answers,
        };
        answers
            .and_then(|answers| Ok(redis::from_redis_value(Value::Array(answers))?))
            .map_err(|error| transient(&self.0.place, &error))
    }

    async fn attempt(&self, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        let Inner { redis, place, current } = &*self.0;
        let attempt = Arc::clone(&current.lock().unwrap_or_else(PoisonError::into_inner));
        let answers = match attempt.get_or_init(|| dial(redis, place)).await.clone() {
            Ok(Open::Server(mut connection)) => pipeline.query_async(&mut connection).await,
            Ok(Open::Cluster(connection)) => cluster::spread(&connection, pipeline).await,
            Err(error) => Err(error),
        };
        if answers.is_err() {
            let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&current, &attempt) {
                *current = Arc::default();
            }
        }
        answers
    }
}

async fn dial(redis: &Redis, place: &Place) -> RedisResult<Open> {
    let server = match place {
        Place::Server(server) => server.clone(),
        Place::Sentinel(sentinels) => {
            let (redis, sentinels) = (redis.clone(), sentinels.clone());
            let asked = tokio::task::spawn_blocking(move || sentinels.dial(&redis)).await;
            asked.map_err(|error| RedisError::from(io::Error::other(error)))??.0
        }
        Place::Cluster(nodes) => return Ok(Open::Cluster(cluster::dial(redis, nodes).await?)),
    };
    Ok(Open::Server(dial_server(redis, server).await?))
}

async fn dial_server(redis: &Redis, server: ConnectionInfo) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(redis.connect_timeout))
        .set_response_timeout(Some(redis.response_timeout));
    let mut connection = Client::open(server)?.get_multiplexed_async_connection_with_config(&config).await?;
    for script in script::all() {
        script.prepare_invoke().load_async(&mut connection).await?;
    }
    Ok(connection)
}
