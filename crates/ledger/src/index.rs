//! The synchronous read side, for handlers.

use stream::Result;

use crate::ask::{self, Ask, Seen, Value};
use crate::connection::{Connection, Redis};
use crate::layout::Layout;

/// Reads what another stage stored: many partitions in one pipeline, each together with its position in one script.
pub struct Index {
    connection: Connection,
    layout: Layout,
}

impl Index {
    pub fn open(redis: &Redis, stage: &str, topic: &str) -> Result<Self> {
        Ok(Self { connection: Connection::open(redis)?, layout: Layout::new(stage, redis.generation, topic) })
    }

    /// Asks each partition the same questions.
    pub fn fetch(&mut self, partitions: &[i32], asks: &[Ask]) -> Result<Vec<Seen>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for &partition in partitions {
            pipeline.add_command(ask::command(&self.layout, partition, asks));
        }
        let answers: Vec<Vec<Value>> = self.connection.query(&pipeline)?;
        partitions.iter().zip(answers).map(|(&partition, answer)| ask::seen(partition, answer)).collect()
    }
}
