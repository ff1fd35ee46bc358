use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::time::{Duration, Instant};

use hashbrown::HashMap as Counts;
use redis::Connection;
use sentry_arroyo::backends::kafka::types::KafkaPayload;
use sentry_arroyo::processing::strategies::{
    CommitRequest, ProcessingStrategy, ProcessingStrategyFactory, StrategyError, SubmitError,
};
use sentry_arroyo::types::{Message, Partition};
use serde::Deserialize;

const BATCH: usize = 50_000;
const PATIENCE: Duration = Duration::from_millis(200);

pub(crate) struct Factory {
    pub(crate) total: usize,
    pub(crate) redis_port: u16,
}

impl ProcessingStrategyFactory<KafkaPayload> for Factory {
    fn create(&self) -> Box<dyn ProcessingStrategy<KafkaPayload>> {
        let client = redis::Client::open(("127.0.0.1", self.redis_port)).expect("an address");
        Box::new(Counting {
            total: self.total,
            redis: std::sync::Mutex::new(client.get_connection().expect("Redis answers")),
            seen: 0,
            gathered: 0,
            flushed_at: Instant::now(),
            counter: String::new(),
            counts: Counts::new(),
            positions: HashMap::new(),
            is_done: false,
        })
    }
}

struct Counting {
    total: usize,
    /// The trait asks for `Sync`; nobody contends.
    redis: std::sync::Mutex<Connection>,
    seen: usize,
    gathered: usize,
    flushed_at: Instant,
    /// The counter at hand, written anew for each record into the same memory.
    counter: String,
    counts: Counts<String, i64>,
    positions: HashMap<Partition, u64>,
    is_done: bool,
}

#[derive(Deserialize)]
struct Install<'a> {
    #[serde(borrow)]
    app_id: Cow<'a, str>,
    #[serde(borrow)]
    event_time: Cow<'a, str>,
    #[serde(borrow, default)]
    country: Cow<'a, str>,
    #[serde(borrow, default)]
    attribution: Attribution<'a>,
}

#[derive(Default, Deserialize)]
struct Attribution<'a> {
    #[serde(borrow, default)]
    media_source: Option<Cow<'a, str>>,
}

impl ProcessingStrategy<KafkaPayload> for Counting {
    fn poll(&mut self) -> Result<Option<CommitRequest>, StrategyError> {
        if self.is_done {
            println!("done {}", self.seen);
            std::io::stdin().read_to_end(&mut Vec::new()).expect("an input");
            std::process::exit(0);
        }
        if self.total == 0 {
            self.is_done = true; // it is created when partitions are assigned
            return Ok(None);
        }
        let is_due = self.gathered > 0 && self.flushed_at.elapsed() > PATIENCE;
        if self.gathered < BATCH && self.seen < self.total && !is_due {
            return Ok(None);
        }
        self.flush().map_err(|error| StrategyError::Other(Box::new(error)))?;
        self.is_done = self.seen >= self.total; // said at the next poll, when the offsets are committed
        Ok(Some(CommitRequest { positions: self.positions.clone() }))
    }

    fn submit(&mut self, message: Message<KafkaPayload>) -> Result<(), SubmitError<KafkaPayload>> {
        self.seen += 1;
        self.gathered += 1;
        self.positions.extend(message.committable());
        let payload = message.payload().payload().map(Vec::as_slice).unwrap_or_default();
        if let Ok(install) = serde_json::from_slice::<Install<'_>>(payload) {
            self.count(&install);
        }
        Ok(())
    }

    fn terminate(&mut self) {}

    fn join(&mut self, _timeout: Option<Duration>) -> Result<Option<CommitRequest>, StrategyError> {
        Ok(None)
    }
}

impl Counting {
    fn count(&mut self, install: &Install<'_>) {
        let day = install.event_time.get(..10).unwrap_or_default();
        let source = install.attribution.media_source.as_deref().unwrap_or("organic");
        self.counter.clear();
        write!(self.counter, "installs:{}:{day} {source}|{}", install.app_id, install.country).expect("memory");
        *self.counts.entry_ref(self.counter.as_str()).or_default() += 1;
    }

    fn flush(&mut self) -> redis::RedisResult<()> {
        let mut commands = redis::pipe();
        for (counter, by) in self.counts.drain() {
            let (key, field) = counter.split_once(' ').expect("a space");
            commands.hincr(key, field, by).ignore();
        }
        self.gathered = 0;
        self.flushed_at = Instant::now();
        let mut redis = self.redis.lock().expect("nobody panicked");
        if commands.is_empty() { Ok(()) } else { commands.query(&mut *redis) }
    }
}
