//! The due deliveries of one stage. Once a delivery is scheduled, only a courier changes it; it never touches a position.

use redis::aio::ConnectionManager;
use stream::Result;

use crate::connection::{Redis, transient};
use crate::layout::Layout;
use crate::script;

/// Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Queue {
    manager: ConnectionManager,
    layout: Layout,
}

/// What to take: at most `limit` deliveries that are due at `now_ms`, each leased until `lease_until_ms`.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub now_ms: i64,
    pub lease_until_ms: i64,
    pub limit: usize,
}

/// A delivery that is ours until the lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub id: String,
    /// 1 for the first; raised by the claim itself, so that a crash is seen.
    pub attempt: u32,
    /// The last attempt whose outcome was recorded.
    pub recorded: u32,
    /// When it was due: where an earlier claim came to nothing, the end of that lease.
    pub due_ms: i64,
    pub body: Vec<u8>,
}

impl Queue {
    pub async fn open(redis: &Redis, stage: &str, topic: &str) -> Result<Self> {
        Ok(Self { manager: redis.manager().await?, layout: Layout::new(stage, redis.generation, topic) })
    }

    /// The endpoints that have anything pending in the partition.
    pub async fn endpoints(&self, partition: i32) -> Result<Vec<String>> {
        let key = self.key(partition, "endpoints");
        redis::cmd("SMEMBERS").arg(key).query_async(&mut self.manager.clone()).await.map_err(transient)
    }

    /// How many deliveries are pending.
    pub async fn pending(&self, partition: i32, endpoint: &str) -> Result<u64> {
        let key = self.due(partition, endpoint);
        redis::cmd("ZCARD").arg(key).query_async(&mut self.manager.clone()).await.map_err(transient)
    }

    /// Takes what is due. The lease, the crash marker and the retry are one: the due time moves to the lease's end.
    pub async fn claim(&self, partition: i32, endpoint: &str, claim: Claim) -> Result<Vec<Claimed>> {
        let claimed: Vec<(String, u32, u32, i64, Vec<u8>)> = script::CLAIM
            .key(self.due(partition, endpoint))
            .arg(claim.now_ms)
            .arg(claim.lease_until_ms)
            .arg(claim.limit)
            .arg(self.key(partition, "d:"))
            .invoke_async(&mut self.manager.clone())
            .await
            .map_err(transient)?;
        let taken = |(id, attempt, recorded, due_ms, body)| Claimed { id, attempt, recorded, due_ms, body };
        Ok(claimed.into_iter().map(taken).collect())
    }

    /// Removes a delivery whose outcome is recorded for good.
    pub async fn finish(&self, partition: i32, endpoint: &str, id: &str) -> Result<()> {
        script::FINISH
            .key(self.due(partition, endpoint))
            .key(self.delivery(partition, id))
            .key(self.key(partition, "endpoints"))
            .arg(id)
            .arg(endpoint)
            .invoke_async(&mut self.manager.clone())
            .await
            .map_err(transient)
    }

    /// Undoes a claim that led to nothing: the attempt was not made. Does nothing if a later claim holds the delivery.
    pub async fn give_back(&self, (partition, endpoint): (i32, &str), claimed: &Claimed) -> Result<()> {
        script::GIVE_BACK
            .key(self.due(partition, endpoint))
            .key(self.delivery(partition, &claimed.id))
            .arg(&claimed.id)
            .arg(claimed.attempt)
            .arg(claimed.due_ms)
            .invoke_async(&mut self.manager.clone())
            .await
            .map_err(transient)
    }

    /// Records an attempt and moves the due time; does nothing if a later claim holds the delivery.
    pub async fn retry(&self, (partition, endpoint): (i32, &str), id: &str, attempt: u32, due_ms: i64) -> Result<()> {
        script::RETRY
            .key(self.due(partition, endpoint))
            .key(self.delivery(partition, id))
            .arg(id)
            .arg(attempt)
            .arg(due_ms)
            .invoke_async(&mut self.manager.clone())
            .await
            .map_err(transient)
    }

    fn due(&self, partition: i32, endpoint: &str) -> String {
        self.key(partition, &format!("due:{endpoint}"))
    }

    fn delivery(&self, partition: i32, id: &str) -> String {
        self.key(partition, &format!("d:{id}"))
    }

    fn key(&self, partition: i32, key: &str) -> String {
        self.layout.tag(partition) + key
    }
}
