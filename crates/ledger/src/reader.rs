//! The asynchronous read side, for HTTP doors.

use std::sync::Arc;

use stream::Result;

use crate::ask::{self, Ask, Seen, Value};
use crate::connection::{Redis, Shared};
use crate::layout::Layout;

/// Reads a stage's ledger over all of its partitions.
#[derive(Clone)]
pub struct Reader {
    connection: Shared,
    layout: Layout,
    expected: Arc<[i32]>,
}

impl Reader {
    pub async fn open(redis: &Redis, stage: &str, topic: &str) -> Result<Self> {
        let layout = Layout::new(stage, redis.generation, topic);
        Ok(Self { connection: Shared::open(redis).await?, layout, expected: Arc::default() })
    }

    /// Answers for these partitions too where nothing is stored of them: of a store that was emptied, nobody could tell
    /// otherwise that they are missing.
    pub fn expecting(self, partitions: Vec<i32>) -> Self {
        Self { expected: partitions.into(), ..self }
    }

    /// Asks every partition the same questions, each at one moment.
    pub async fn fetch(&self, asks: &[Ask]) -> Result<Vec<Seen>> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.layout.partitions());
        let mut partitions: Vec<i32> = self.connection.command(command).await?;
        partitions.extend(&*self.expected);
        partitions.sort_unstable();
        partitions.dedup();
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for &partition in &partitions {
            pipeline.add_command(ask::command(&self.layout, partition, asks));
        }
        let answers: Vec<Vec<Value>> = self.connection.query(&pipeline).await?;
        partitions.iter().zip(answers).map(|(&partition, answer)| ask::seen(partition, answer)).collect()
    }
}
