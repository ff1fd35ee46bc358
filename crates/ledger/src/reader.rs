//! The asynchronous read side, for HTTP doors.

use redis::aio::ConnectionManager;
use stream::Result;

use crate::ask::{self, Ask, Seen, Value};
use crate::connection::{Redis, transient};
use crate::layout::Layout;
use crate::script;

/// Reads a stage's ledger over all of its partitions.
#[derive(Clone)]
pub struct Reader {
    manager: ConnectionManager,
    layout: Layout,
}

impl Reader {
    pub async fn open(redis: &Redis, stage: &str, topic: &str) -> Result<Self> {
        Ok(Self { manager: redis.manager().await?, layout: Layout::new(stage, redis.generation, topic) })
    }

    /// Asks every partition the same questions, each at one moment.
    pub async fn fetch(&self, asks: &[Ask]) -> Result<Vec<Seen>> {
        let mut manager = self.manager.clone();
        let mut partitions: Vec<i32> =
            redis::cmd("SMEMBERS").arg(self.layout.partitions()).query_async(&mut manager).await.map_err(transient)?;
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        partitions.sort_unstable();
        let mut pipeline = redis::pipe();
        // A server that restarted has no scripts; a reader that reconnects by itself loads them each time.
        script::READ.prepare_invoke().load_async(&mut manager).await.map_err(transient)?;
        for &partition in &partitions {
            pipeline.add_command(ask::command(&self.layout, partition, asks));
        }
        let answers: Vec<Vec<Value>> = pipeline.query_async(&mut manager).await.map_err(transient)?;
        partitions.iter().zip(answers).map(|(&partition, answer)| ask::seen(partition, answer)).collect()
    }
}
