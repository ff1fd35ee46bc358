//! The sink: one script per partition and commit.

use std::time::{Duration, Instant};

use stream::{Bookmark, Error, Halt, HaltCode, Mark, Offset, Part, Partition, Result, Sink, Standing, Work};
use tracing::{error, warn};

use crate::connection::{Connection, Redis};
use crate::effects::Effects;
use crate::layout::Layout;
use crate::{facts, script};

/// Stores effects and position in Redis, both or neither.
pub struct Ledger {
    connection: Connection,
    layout: Layout,
    looked_at: Instant,
    may_evict: Option<String>,
}

/// How often it is looked whether Redis may evict by now.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Ledger {
    /// Connects, and refuses a Redis that may forget what it was told. `stage` is a name such as `reports.installs`.
    pub fn open(redis: &Redis, stage: &str, topic: &str) -> Result<Self> {
        let mut connection = Connection::open(redis)?;
        facts::require_safe(&mut connection)?;
        let layout = Layout::new(stage, redis.generation, topic);
        Ok(Self { connection, layout, looked_at: Instant::now(), may_evict: None })
    }

    fn apply(&self, part: &Part<Effects>) -> redis::Cmd {
        let partition = part.partition.id;
        let tag = self.layout.tag(partition);
        let keys = part.output.keys(&tag);
        let mut command = script::call(&script::APPLY, keys.len() + 2);
        command.arg(self.layout.position(partition));
        for key in keys {
            command.arg(key);
        }
        command.arg(self.layout.balance(partition)).arg(part.from.0).arg(part.next.0);
        command.arg(part.balance.taken).arg(part.balance.refused).arg(part.balance.repeated);
        let last = part.balance.last.map(|last| (last.offset.to_string(), last.appended_at.to_string()));
        command.arg(last.unwrap_or_default());
        part.output.arguments(&mut command);
        command
    }

    /// The set of partitions is in another slot: a cluster may lose it without them, and a reader would sum over fewer.
    fn check_known(&mut self, positions: &[(Partition, Offset)]) -> Result<()> {
        if positions.is_empty() {
            return Ok(());
        }
        let ids: Vec<i32> = positions.iter().map(|(partition, _)| partition.id).collect();
        let mut pipeline = redis::pipe();
        pipeline.cmd("SMISMEMBER").arg(self.layout.partitions()).arg(ids);
        let (known,): (Vec<bool>,) = self.connection.query(&pipeline)?;
        match positions.iter().zip(known).find(|(_, known)| !known) {
            Some(((partition, _), _)) => Err(Error::Fenced(format!("{partition} is missing in the set of partitions"))),
            None => Ok(()),
        }
    }

    /// An operator may set another policy at any time: what runs goes on, and says so.
    fn look(&mut self) -> Result<()> {
        if self.looked_at.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        self.looked_at = Instant::now();
        let may_evict = facts::may_evict(&mut self.connection)?;
        if let Some(reason) = may_evict.as_ref().filter(|_| self.may_evict.is_none()) {
            error!(reason, "redis may lose what it is told");
        }
        self.may_evict = may_evict;
        Ok(())
    }
}

impl Sink for Ledger {
    type Output = Effects;

    fn resume(&mut self, standings: &[Standing]) -> Result<Vec<Bookmark>> {
        if standings.is_empty() {
            return Ok(Vec::new());
        }
        let partitions: Vec<i32> = standings.iter().map(|standing| standing.partition.id).collect();
        self.connection.query::<()>(redis::pipe().cmd("SADD").arg(self.layout.partitions()).arg(partitions))?;
        let mut pipeline = redis::pipe();
        for standing in standings {
            let partition = standing.partition.id;
            let mut command = script::call(&script::RESUME, 4);
            command.arg(self.layout.position(partition)).arg(self.layout.rebuilding_until(partition));
            command
                .arg(self.layout.incomplete_from(partition))
                .arg(self.layout.balance(partition))
                .arg(standing.first.0);
            let witness = standing.committed.filter(|&committed| committed > standing.first);
            command.arg(witness.map(|committed| committed.to_string()).unwrap_or_default());
            pipeline.add_command(command);
        }
        let answers: Vec<(i64, bool, Option<i64>, Option<i64>)> = self.connection.query(&pipeline)?;
        let bookmark = |(standing, (position, lost, last, appended_at)): (&Standing, (i64, bool, Option<i64>, _))| {
            if lost {
                warn!(partition = %standing.partition, "the store was emptied: rebuilding from Kafka");
            }
            Bookmark { position: Offset(position), last: last.map(Offset).zip(appended_at).map(Mark::from) }
        };
        Ok(standings.iter().zip(answers).map(bookmark).collect())
    }

    fn check(&mut self, positions: &[(Partition, Offset)]) -> Result<Option<String>> {
        if positions.is_empty() {
            return Ok(None);
        }
        let mut pipeline = redis::pipe();
        for (Partition { id, .. }, _) in positions {
            // Two commands: a cluster answers one that names a missing key only when the slot has moved.
            pipeline.cmd("GET").arg(self.layout.position(*id)).cmd("GET").arg(self.layout.rebuilding_until(*id));
        }
        let stored: Vec<Option<i64>> = self.connection.query(&pipeline)?;
        let mut rebuilding = None;
        for ((partition, position), stored) in positions.iter().zip(stored.chunks(2)) {
            let (stored, until) = (stored[0], stored[1]);
            if stored != Some(position.0) {
                return Err(Error::Fenced(format!("{partition} is read up to {position}, but {stored:?} is stored")));
            }
            if let Some(until) = until.filter(|&until| position.0 < until) {
                rebuilding = Some(format!("{partition} is being rebuilt: it stands at {position} of {until}"));
            }
        }
        self.check_known(positions)?;
        self.look()?;
        Ok(self.may_evict.clone().or(rebuilding))
    }

    fn commit(&mut self, work: Work<'_, Effects>) -> Result<()> {
        let mut pipeline = redis::pipe();
        for part in &work.parts {
            pipeline.add_command(self.apply(part));
        }
        let answers: Vec<Vec<String>> = self.connection.query(&pipeline)?;
        for (part, answer) in work.parts.iter().zip(answers) {
            let Part { partition, from, .. } = part;
            match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["ok"] => {}
                ["fenced", stored] => {
                    return Err(Error::Fenced(format!("{partition} stands at {stored}, this work begins at {from}")));
                }
                ["type", key, found] => {
                    return Err(Error::Halted(Halt {
                        partition: partition.clone(),
                        code: HaltCode::WrongType,
                        reason: format!("redis key {key} is a {found}: somebody else wrote it; remove it"),
                        position: *from,
                    }));
                }
                _ => return Err(Error::transient(format!("redis answered {answer:?}"))),
            }
        }
        Ok(())
    }
}
