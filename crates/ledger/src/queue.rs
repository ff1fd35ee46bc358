//! The due deliveries of one stage. Once a delivery is scheduled, only a courier changes it; it never touches a position.

use stream::Result;

use crate::connection::{Redis, Shared};
use crate::layout::Layout;
use crate::script;

/// Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Queue {
    connection: Shared,
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
    /// An attempt before that one may have been made, and has no recorded outcome.
    pub has_gap: bool,
    /// When it was due: where an earlier claim came to nothing, the end of that lease.
    pub due_ms: i64,
    pub body: Vec<u8>,
}

impl Queue {
    pub async fn open(redis: &Redis, stage: &str, topic: &str) -> Result<Self> {
        Ok(Self { connection: Shared::open(redis).await?, layout: Layout::new(stage, redis.generation, topic) })
    }

    /// The endpoints that have anything pending in the partition.
    pub async fn endpoints(&self, partition: i32) -> Result<Vec<String>> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.key(partition, "endpoints"));
        self.connection.command(command).await
    }

    /// How many deliveries are pending.
    pub async fn pending(&self, partition: i32, endpoint: &str) -> Result<u64> {
        let mut command = redis::cmd("ZCARD");
        command.arg(self.due(partition, endpoint));
        self.connection.command(command).await
    }

    /// Takes what is due. The lease, the crash marker and the retry are one: the due time moves to the lease's end.
    pub async fn claim(&self, partition: i32, endpoint: &str, claim: Claim) -> Result<Vec<Claimed>> {
        let mut command = script::call(&script::CLAIM, 1);
        command.arg(self.due(partition, endpoint)).arg(claim.now_ms).arg(claim.lease_until_ms).arg(claim.limit);
        command.arg(self.key(partition, "d:"));
        let claimed: Vec<(String, u32, u32, bool, i64, Vec<u8>)> = self.connection.command(command).await?;
        let taken =
            |(id, attempt, recorded, has_gap, due_ms, body)| Claimed { id, attempt, recorded, has_gap, due_ms, body };
        Ok(claimed.into_iter().map(taken).collect())
    }

    /// Removes a delivery whose outcome is recorded for good.
    pub async fn finish(&self, partition: i32, endpoint: &str, id: &str) -> Result<()> {
        let mut command = script::call(&script::FINISH, 3);
        command.arg(self.due(partition, endpoint)).arg(self.delivery(partition, id));
        command.arg(self.key(partition, "endpoints")).arg(id).arg(endpoint);
        self.connection.command(command).await
    }

    /// Undoes a claim that led to nothing: the attempt was not made. Does nothing if a later claim holds the delivery.
    pub async fn give_back(&self, (partition, endpoint): (i32, &str), claimed: &Claimed) -> Result<()> {
        let mut command = script::call(&script::GIVE_BACK, 2);
        command.arg(self.due(partition, endpoint)).arg(self.delivery(partition, &claimed.id));
        command.arg(&claimed.id).arg(claimed.attempt).arg(claimed.due_ms);
        self.connection.command(command).await
    }

    /// Records the claimed attempt and moves the due time; does nothing if a later claim holds the delivery. `has_gap` says
    /// whether an attempt before it has no recorded outcome: that is not forgotten any more.
    pub async fn retry(
        &self,
        (partition, endpoint): (i32, &str),
        claimed: &Claimed,
        (due_ms, has_gap): (i64, bool),
    ) -> Result<()> {
        let mut command = script::call(&script::RETRY, 2);
        command.arg(self.due(partition, endpoint)).arg(self.delivery(partition, &claimed.id));
        command.arg(&claimed.id).arg(claimed.attempt).arg(due_ms).arg(u8::from(has_gap));
        self.connection.command(command).await
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
