//! The same writes to Redis by the same script, without the lines that make them exactly once.

use ledger::{Effects, Redis};
use redis::{Client, Connection, Pipeline, RedisError, Script};
use stream::{Bookmark, Error, Result, Sink, Standing, Work};

/// The script of the ledger as it ships.
const GUARDED: &str = include_str!("../../../../crates/ledger/src/apply.lua");

/// The lines that are taken out of it. Keys and arguments stay as they are.
const OUT: [&str; 3] = [
    "local stored = redis.call('GET', KEYS[1])\n",
    "if stored ~= ARGV[1] then return {'fenced', stored or 'none'} end\n",
    "redis.call('SET', KEYS[1], ARGV[2])\n",
];

/// Stores effects in Redis, and no position.
pub(crate) struct Unguarded {
    connection: Connection,
    script: Script,
    /// What keys begin with, in the layout of the ledger.
    base: String,
}

impl Unguarded {
    pub(crate) fn open(redis: &Redis, stage: &str, topic: &str) -> Result<Self> {
        let mut connection = connect(redis).map_err(|error| Error::unreachable(format!("redis: {error}")))?;
        let script = Script::new(&text());
        script.prepare_invoke().load(&mut connection).map_err(transient)?;
        Ok(Self { connection, script, base: format!("{stage}.{}:{topic}", redis.generation) })
    }

    fn query<T: redis::FromRedisValue>(&mut self, pipeline: &Pipeline) -> Result<T> {
        pipeline.query(&mut self.connection).map_err(transient)
    }
}

impl Sink for Unguarded {
    type Output = Effects;

    /// From where Kafka was told, which is before what was counted.
    fn resume(&mut self, standings: &[Standing]) -> Result<Vec<Bookmark>> {
        let mut pipeline = redis::pipe();
        for standing in standings {
            pipeline.cmd("SADD").arg(format!("{{{}}}:partitions", self.base)).arg(standing.partition.id).ignore();
        }
        self.query::<()>(&pipeline)?;
        Ok(standings.iter().map(|standing| standing.committed.unwrap_or(standing.first).into()).collect())
    }

    fn commit(&mut self, work: Work<'_, Effects>) -> Result<()> {
        let mut pipeline = redis::pipe();
        for part in &work.parts {
            let tag = format!("{{{}:{}}}:", self.base, part.partition.id);
            let keys = part.output.keys(&tag);
            let mut command = redis::cmd("EVALSHA");
            command.arg(self.script.get_hash()).arg(keys.len() + 2).arg(format!("{tag}position"));
            for key in keys {
                command.arg(key);
            }
            command.arg(format!("{tag}balance")).arg(part.from.0).arg(part.next.0);
            command.arg(part.balance.taken).arg(part.balance.refused).arg(part.balance.repeated).arg("").arg("");
            part.output.arguments(&mut command);
            pipeline.add_command(command);
        }
        let answers: Vec<Vec<String>> = self.query(&pipeline)?;
        match answers.iter().find(|answer| *answer != &["ok"]) {
            Some(answer) => Err(Error::transient(format!("redis answered {answer:?}"))),
            None => Ok(()),
        }
    }
}

fn text() -> String {
    OUT.iter().fold(GUARDED.to_owned(), |text, line| text.replace(line, ""))
}

fn connect(redis: &Redis) -> redis::RedisResult<Connection> {
    let connection = Client::open(redis.url.as_str())?.get_connection_with_timeout(redis.connect_timeout)?;
    connection.set_read_timeout(Some(redis.response_timeout))?;
    connection.set_write_timeout(Some(redis.response_timeout))?;
    Ok(connection)
}

fn transient(error: RedisError) -> Error {
    Error::transient(format!("redis: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_the_writes_exactly_once_is_taken_out_of_the_script_and_nothing_else() {
        for line in OUT {
            assert!(GUARDED.contains(line), "the ledger's script has no line {line:?} any more");
        }
        let text = text();
        for word in ["stored", "KEYS[1]", "ARGV[2]"] {
            assert!(!text.contains(word), "{word} is left in {text}");
        }
        assert_eq!(GUARDED.lines().count() - text.lines().count(), 3);
    }
}
