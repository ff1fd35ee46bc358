//! For an operator: where each partition of a stage stands, and moving on over what cannot be read.

use stream::{Error, Offset, Result};

use crate::ask::{self, Ask, Seen};
use crate::connection::{Connection, Redis};
use crate::layout::Layout;
use crate::script;

/// The stored positions of one stage.
pub struct Positions {
    connection: Connection,
    layout: Layout,
}

/// A position that an operator moved by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    pub from: Offset,
    pub to: Offset,
    /// When, by whom and why: kept beside the position for good.
    pub note: String,
}

impl Positions {
    pub fn open(redis: &Redis, stage: &str, topic: &str) -> Result<Self> {
        Ok(Self { connection: Connection::open(redis)?, layout: Layout::new(stage, redis.generation, topic) })
    }

    /// Every partition that was ever assigned, with its balance; empty where the stage never ran.
    pub fn stored(&mut self) -> Result<Vec<Seen>> {
        let (mut partitions,): (Vec<i32>,) =
            self.connection.query(redis::pipe().cmd("SMEMBERS").arg(self.layout.partitions()))?;
        partitions.sort_unstable();
        partitions.into_iter().map(|partition| self.seen(partition)).collect()
    }

    /// What was skipped so far, oldest first.
    pub fn skips(&mut self, partition: i32) -> Result<Vec<String>> {
        let (skips,) =
            self.connection.query(redis::pipe().cmd("LRANGE").arg(self.layout.skips(partition)).arg(0).arg(-1))?;
        Ok(skips)
    }

    /// Moves the stored position, and keeps the note. It must still be `from`: whoever reads goes on meanwhile.
    pub fn skip(&mut self, partition: i32, skip: &Skip) -> Result<()> {
        let mut pipeline = redis::pipe();
        let mut command = script::call(&script::SKIP, 4);
        command.arg(self.layout.position(partition)).arg(self.layout.incomplete_from(partition));
        command
            .arg(self.layout.skips(partition))
            .arg(self.layout.balance(partition))
            .arg(skip.from.0)
            .arg(skip.to.0)
            .arg(&skip.note);
        pipeline.add_command(command);
        let (stored,): (Option<i64>,) = self.connection.query(&pipeline)?;
        match stored {
            Some(stored) if stored == skip.from.0 => Ok(()),
            other => Err(Error::Fenced(format!("partition {partition} stands at {other:?}, not at {}", skip.from))),
        }
    }

    fn seen(&mut self, partition: i32) -> Result<Seen> {
        let mut pipeline = redis::pipe();
        pipeline.add_command(ask::command(&self.layout, partition, &[Ask::balance()]));
        let (answer,) = self.connection.query(&pipeline)?;
        ask::seen(partition, answer)
    }
}
