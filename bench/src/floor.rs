//! The straightforward composed floor: count in memory by what `reports` counts by, and write the sums to Redis as bytes that
//! are made here, in one round trip a flush.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use anyhow::{Context, ensure};
use event::{Install, Text};
use hashbrown::HashMap;

use crate::record::{APPS, DAY_NUMBER, app_id};
use crate::truth::Truth;
use crate::world;

/// As many records as `reports` commits at once.
const BATCH: u64 = 50_000;
const SEPARATOR: char = '\u{1f}';

/// Where sums go.
pub(crate) struct Floor {
    /// By key and field, with a space between.
    sums: HashMap<String, i64>,
    gathered: u64,
    counter: String,
    redis: Option<TcpStream>,
    commands: Vec<u8>,
    answers: Vec<u8>,
}

impl Floor {
    /// Counts, and writes to Redis where a port is given.
    pub(crate) fn open(redis: Option<u16>) -> anyhow::Result<Self> {
        let redis = redis.map(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port))).transpose()?;
        let (sums, counter) = (HashMap::new(), String::new());
        Ok(Self { sums, gathered: 0, counter, redis, commands: Vec::new(), answers: vec![0; 1 << 16] })
    }

    pub(crate) fn count(&mut self, install: &Install<'_>) -> anyhow::Result<()> {
        let (time, earned) = (install.event_time, install.current());
        self.counter.clear();
        write!(self.counter, "c:{}:{} {:02}", install.app_id.as_str(), time.day(), time.hour().rem_euclid(24))?;
        let campaign = earned.campaign.as_ref().map_or("", Text::as_str);
        for word in [earned.media_source.as_str(), campaign, install.country.as_ref().map_or("", Text::as_str)] {
            self.counter.push(SEPARATOR);
            self.counter.push_str(word);
        }
        *self.sums.entry_ref(self.counter.as_str()).or_default() += 1;
        self.gathered += 1;
        if self.gathered == BATCH { self.flush() } else { Ok(()) }
    }

    /// Writes the sums and waits until Redis has them.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.gathered = 0;
        let Some(redis) = &mut self.redis else {
            self.sums.clear();
            return Ok(());
        };
        let mut missing = self.sums.len();
        self.commands.clear();
        for (counter, sum) in self.sums.drain() {
            let (key, field) = counter.split_once(' ').context("a counter has a key and a field")?;
            let (length, by) = (field.len(), sum.to_string());
            write!(self.commands, "*4\r\n$7\r\nHINCRBY\r\n${}\r\n{key}\r\n${length}\r\n{field}\r\n", key.len())?;
            write!(self.commands, "${}\r\n{by}\r\n", by.len())?;
        }
        redis.write_all(&self.commands)?;
        while missing > 0 {
            let read = redis.read(&mut self.answers)?;
            let answers = &self.answers[..read];
            ensure!(read > 0 && !answers.contains(&b'-'), "redis answers {}", String::from_utf8_lossy(answers));
            missing = missing.saturating_sub(answers.iter().filter(|&&byte| byte == b'\n').count());
        }
        Ok(())
    }
}

/// Whether Redis holds every counter of the truth.
pub(crate) fn check(port: u16, truth: &Truth) -> anyhow::Result<()> {
    let mut redis = world::redis(port)?;
    for app in 0..APPS {
        let key = format!("c:{}:{DAY_NUMBER}", app_id(app));
        let found: std::collections::HashMap<String, u64> = redis::cmd("HGETALL").arg(&key).query(&mut redis)?;
        let expected =
            truth.counters_of(app).map(|(words, count)| (words.join(&SEPARATOR.to_string()), count)).collect();
        ensure!(found == expected, "wrong count: {key} in Redis is not what was produced");
    }
    Ok(())
}
