//! The asynchronous read side, for HTTP doors.

use stream::Result;

use crate::ask::{self, Ask, Seen, Value};
use crate::connection::{Redis, Shared};
use crate::layout::Layout;

/// Reads a stage's ledger over all of its partitions.
#[derive(Clone)]
pub struct Reader {
    connection: Shared,
    layout: Layout,
}

impl Reader {
    pub async fn open(redis: &Redis, stage: &str, topic: &str) -> Result<Self> {
        Ok(Self { connection: Shared::open(redis).await?, layout: Layout::new(stage, redis.generation, topic) })
    }

    /// Asks every partition the same questions, each at one moment.
    pub async fn fetch(&self, asks: &[Ask]) -> Result<Vec<Seen>> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.layout.partitions());
        let mut partitions: Vec<i32> = self.connection.command(command).await?;
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        partitions.sort_unstable();
        let mut pipeline = redis::pipe();
        for &partition in &partitions {
            pipeline.add_command(ask::command(&self.layout, partition, asks));
        }
        let answers: Vec<Vec<Value>> = self.connection.query(&pipeline).await?;
        partitions.iter().zip(answers).map(|(&partition, answer)| ask::seen(partition, answer)).collect()
    }
}
