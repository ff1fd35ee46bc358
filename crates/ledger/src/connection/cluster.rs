//! Redis Cluster: each command goes to the node that holds its slot, and follows a slot that moves.

use std::collections::BTreeSet;
use std::io;

use futures_util::future::join_all;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo};
use redis::{Cmd, ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisResult, Value};

use super::Redis;
use crate::script;

/// A slot that moves is asked for so often within one command; then the one recovery asks.
const RETRIES: u32 = 5;
const LONGEST_WAIT_MS: u64 = 200;
const SHORTEST_WAIT_MS: u64 = 20;

/// Connects to every node that answers, and loads the scripts there.
pub(super) async fn dial(redis: &Redis, nodes: &[ConnectionInfo]) -> RedisResult<ClusterConnection> {
    let client = ClusterClientBuilder::new(nodes.to_vec())
        .connection_timeout(redis.connect_timeout)
        .response_timeout(redis.response_timeout)
        .retries(RETRIES)
        .min_retry_wait(SHORTEST_WAIT_MS)
        .max_retry_wait(LONGEST_WAIT_MS)
        .build()?;
    let dialled = async {
        let mut connection = client.get_async_connection().await?;
        for script in script::all() {
            script.prepare_invoke().load_async(&mut connection).await?;
        }
        Ok(connection)
    };
    match tokio::time::timeout(redis.connect_timeout + redis.response_timeout, dialled).await {
        Ok(dialled) => dialled,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// Runs the commands side by side, each at its own node; no order among them is promised. Waits for every answer before it
/// returns an error, so that nothing is still on its way when the caller asks where things stand.
pub(super) async fn spread(connection: &ClusterConnection, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
    let sent = pipeline.cmd_iter().map(|command| {
        let mut connection = connection.clone();
        async move { command.query_async(&mut connection).await }
    });
    join_all(sent).await.into_iter().collect()
}

/// Asks every primary, all of them or none.
pub(super) async fn each_primary(mut connection: ClusterConnection, command: Cmd) -> RedisResult<Vec<(String, Value)>> {
    let slots: Value = redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
    let primaries = primaries(&slots).len();
    let every = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, Some(ResponsePolicy::Special)));
    let Value::Map(answers) = connection.route_command(command, every).await? else {
        return Err(RedisError::from((ErrorKind::UnexpectedReturnType, "an answer by node was expected")));
    };
    if answers.len() != primaries {
        let found = format!("{} of {primaries}", answers.len());
        return Err(RedisError::from((ErrorKind::Io, "not every primary of the cluster answers", found)));
    }
    answers.into_iter().map(|(node, answer)| Ok((redis::from_redis_value(node)?, answer.extract_error()?))).collect()
}

/// The ids of the nodes that stand first in a range of `CLUSTER SLOTS`: `[[from, to, [host, port, id, …], replica…], …]`.
fn primaries(slots: &Value) -> BTreeSet<Vec<u8>> {
    let inside = |value: &Value, at: usize| match value {
        Value::Array(values) => values.get(at).cloned(),
        _ => None,
    };
    let Value::Array(ranges) = slots else { return BTreeSet::new() };
    let id = |range| match inside(&inside(range, 2)?, 2)? {
        Value::BulkString(id) => Some(id),
        _ => None,
    };
    ranges.iter().filter_map(id).collect()
}
