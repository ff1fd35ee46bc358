//! The questions of the stage `decide`, asked behind the hold: the one place where it reads Redis and Kafka.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::Context as _;
use event::topic;
use ledger::{Ask, Seen};
use stream::Offset;

use crate::ends::{Ends, Log};
use crate::hold::Hold;
use crate::known::Known;
use crate::questions::{Answers, Questions};

/// Asks partitions of an index the same questions, each at one moment: Redis, or what a test has instead.
pub(crate) type Fetch = Box<dyn FnMut(&[i32], &[Ask]) -> stream::Result<Vec<Seen>> + Send>;

pub(crate) struct Lookups {
    pub(crate) hold: Hold,
    pub(crate) log: Log,
    /// What `remember` stored of `activity`.
    pub(crate) remembered: Fetch,
    /// What `record` stored of `installs`.
    pub(crate) recorded: Fetch,
    /// Where `activity` ended, and when that was asked.
    pub(crate) ends: Option<(i64, Ends)>,
}

/// The batch that asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) partition: i32,
    /// Of its last record.
    pub(crate) last: Offset,
    /// When the newest of its records was appended.
    pub(crate) newest: i64,
}

/// More questions than these hold up Redis for everybody else.
const ASKED_AT_ONCE: usize = 1_000;

const REMEMBER: &str = "waiting for remember to reach the end of activity";
const RECORD: &str = "waiting for record to reach the end of installs";

impl Lookups {
    /// Answers the questions of a batch: with every touch that was appended until the hold had passed, and every decision
    /// of `installs` up to `floor`.
    pub(crate) fn answer(&mut self, asker: Asker, questions: &Questions, floor: &Ends) -> anyhow::Result<Answers> {
        let ends = self.ends_when_ripe(asker)?;
        let Self { hold, remembered, recorded, .. } = self;
        let everywhere = ends.partitions();
        hold.until(REMEMBER, || complete(remembered, &everywhere, &[], &ends))?;

        let mut answers = Answers::default();
        for asks in chunks(&questions.touches, Ask::ZRange) {
            let seen = hold.until(REMEMBER, || complete(remembered, &everywhere, &asks, &ends))?;
            gather_touches(&mut answers.touches, &asks, seen);
        }
        let here = [asker.partition];
        for asks in chunks(&questions.first_seen, Ask::Get) {
            let seen = hold.until(REMEMBER, || complete(remembered, &here, &asks, &ends.only(asker.partition)))?;
            gather(&mut answers.first_seen, &asks, seen, offset)?;
        }
        for asks in chunks(&questions.decisions, Ask::Get) {
            let seen = hold.until(RECORD, || complete(recorded, &here, &asks, &floor.only(asker.partition)))?;
            gather(&mut answers.decisions, &asks, seen, known)?;
        }
        Ok(answers)
    }

    /// Where `activity` ended at some moment after these records had ripened.
    fn ends_when_ripe(&mut self, Asker { partition, last, newest }: Asker) -> anyhow::Result<Ends> {
        // A clock that was set back makes an old answer look like one of the future. One that is ahead makes it look as if
        // it were of a moment after these records, which it does not even hold.
        if let Some((asked_at, ends)) = &self.ends
            && *asked_at <= self.hold.now()
            && self.hold.is_ripe(newest, *asked_at)
            && ends.hold(partition, last)
        {
            return Ok(ends.clone());
        }
        self.hold.ripen(newest)?;
        let asked_at = self.hold.now();
        let ends = self.log.ends(topic::ACTIVITY)?;
        self.ends = Some((asked_at, ends.clone()));
        Ok(ends)
    }
}

fn chunks(keys: &BTreeSet<String>, ask: fn(String) -> Ask) -> Vec<Vec<Ask>> {
    let asks: Vec<Ask> = keys.iter().cloned().map(ask).collect();
    asks.chunks(ASKED_AT_ONCE).map(<[Ask]>::to_vec).collect()
}

/// Whether all of these partitions have been read up to these ends.
pub(crate) fn is_caught_up(fetch: &mut Fetch, ends: &Ends) -> anyhow::Result<bool> {
    Ok(complete(fetch, &ends.partitions(), &[], ends)?.is_some())
}

/// Answers of partitions that had all been read up to these ends; an answer of any earlier moment is thrown away.
fn complete(fetch: &mut Fetch, partitions: &[i32], asks: &[Ask], ends: &Ends) -> anyhow::Result<Option<Vec<Seen>>> {
    let seen = fetch(partitions, asks)?;
    let positions = seen.iter().map(|seen| (seen.partition, seen.position.map(|position| position.0)));
    Ok(ends.missed(positions).is_empty().then_some(seen))
}

fn name(ask: &Ask) -> &str {
    match ask {
        Ask::Get(key) | Ask::ZRange(key) | Ask::HGet(key, _) | Ask::HGetAll(key) | Ask::Members(key) => key,
    }
}

fn gather_touches(touches: &mut HashMap<String, Vec<Vec<u8>>>, asks: &[Ask], seen: Vec<Seen>) {
    for partition in seen {
        for (ask, value) in asks.iter().zip(partition.values) {
            let members = value.members();
            if !members.is_empty() {
                touches.entry(name(ask).to_owned()).or_default().extend(members);
            }
        }
    }
}

fn gather<T>(
    found: &mut HashMap<String, T>,
    asks: &[Ask],
    seen: Vec<Seen>,
    read: fn(&[u8]) -> anyhow::Result<T>,
) -> anyhow::Result<()> {
    for (ask, value) in seen.into_iter().flat_map(|seen| asks.iter().zip(seen.values)) {
        if let Some(bytes) = value.bytes() {
            let value = read(&bytes).with_context(|| format!("reading {} from the index", name(ask)))?;
            found.insert(name(ask).to_owned(), value);
        }
    }
    Ok(())
}

fn offset(bytes: &[u8]) -> anyhow::Result<Offset> {
    Ok(Offset(std::str::from_utf8(bytes)?.parse()?))
}

fn known(bytes: &[u8]) -> anyhow::Result<Arc<Known>> {
    Ok(Arc::new(serde_json::from_slice(bytes)?))
}
