//! What the log itself says of every account: one pass over each topic.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use event::{Attempt, Outcome, topic};
use indicatif::ProgressBar;
use serde::Deserialize;
use stream::tail::{Start, Stored, Tail, Until};
use stream::{HEADER_OFFSET, HEADER_PARTITION, HEADER_SERVICE, HEADER_TOPIC, Kafka, Watermarks, dead_topic};

use crate::audit::account::{Account, delivery_number, outputs};
use crate::audit::fold::Fold;
use crate::audit::verdict::told;

/// What was found within the range of one account.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub records: u64,
    /// Offsets of the records that have a dead letter of this service.
    pub letters: HashSet<i64>,
    /// Records of `installs` and `events` that were made of these.
    pub derived: u64,
    /// Deliveries of these records that came to an end, by number.
    pub finished: HashSet<u128>,
    /// Records that repeat an event of another one; counted only where deliveries are missing.
    pub repeats: u64,
}

/// The first offset that each partition of each topic still has.
pub(crate) type Firsts = BTreeMap<(String, i32), i64>;

pub(crate) struct Found {
    /// One for each account, in their order.
    pub evidence: Vec<Evidence>,
    /// As of the end of the pass: what was there then was there all the time.
    pub firsts: Firsts,
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Reads every topic that has to do with an account, and folds `installs` on the way.
pub(crate) fn gather(kafka: &Kafka, accounts: &[Account], fold: &mut Fold, bar: &ProgressBar) -> anyhow::Result<Found> {
    let log = Watermarks::open(kafka)?;
    let topics = topics(accounts);
    let mut total = 0;
    for topic in &topics {
        total += log.ends(topic)?.iter().map(|(_, first, end)| end - first).sum::<i64>();
    }
    bar.set_length(total.unsigned_abs());
    let mut evidence: Vec<Evidence> = accounts.iter().map(|_| Evidence::default()).collect();
    for topic in &topics {
        bar.set_message(topic.clone());
        for record in Tail::open(kafka, topic, Start::Everything, Until::Ends)?.records(PATIENCE) {
            let record = record?;
            bar.inc(1);
            note(&record, accounts, &mut evidence);
            fold.add(&record);
        }
    }
    for (account, found) in accounts.iter().zip(&mut evidence) {
        if account.schedules() && told(account, found) < account.balance.out {
            found.repeats = repeats(kafka, account)?;
        }
    }
    let mut firsts = Firsts::new();
    for topic in &topics {
        firsts.extend(log.ends(topic)?.into_iter().map(|(partition, first, _)| ((topic.clone(), partition), first)));
    }
    Ok(Found { evidence, firsts })
}

fn topics(accounts: &[Account]) -> BTreeSet<String> {
    let of = |account: &Account| {
        let outputs = outputs(&account.stage).iter().map(|&topic| topic.to_owned());
        outputs.chain([account.stage.topic.to_owned(), dead_topic(account.stage.topic)]).collect::<Vec<_>>()
    };
    accounts.iter().flat_map(of).collect()
}

/// Reads the records of an account once more: what is told of the same event is one delivery, however often it came.
fn repeats(kafka: &Kafka, account: &Account) -> anyhow::Result<u64> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        app_id: Cow<'a, str>,
        #[serde(borrow)]
        event_id: Cow<'a, str>,
    }
    let (mut seen, mut repeats) = (HashSet::new(), 0);
    let start = Start::First(vec![account.partition]);
    for record in Tail::open(kafka, account.stage.topic, start, Until::Ends)?.records(PATIENCE) {
        let record = record?;
        let named = serde_json::from_slice::<Named<'_>>(record.payload.as_deref().unwrap_or_default());
        let Ok(Named { app_id, event_id }) = named else { continue };
        if account.covers(record.offset.0) && !seen.insert((app_id.into_owned(), event_id.into_owned())) {
            repeats += 1;
        }
    }
    Ok(repeats)
}

fn note(record: &Stored, accounts: &[Account], evidence: &mut [Evidence]) {
    let read_from = &*record.partition.topic;
    let source = header(record, "src").and_then(place);
    let letter = letter(record);
    let finished = if read_from == topic::POSTBACKS { finished(record) } else { None };
    for (account, found) in accounts.iter().zip(evidence) {
        let topic = account.stage.topic;
        if (topic, account.partition) == (read_from, record.partition.id) && account.covers(record.offset.0) {
            found.records += 1;
        }
        let is_ours =
            |place: &&(&str, i32, i64)| (place.0, place.1) == (topic, account.partition) && account.covers(place.2);
        if let Some((service, place)) = &letter
            && *service == account.service()
            && is_ours(&place)
        {
            found.letters.insert(place.2);
        }
        if source.as_ref().is_some_and(|place| is_ours(&place)) && outputs(&account.stage).contains(&read_from) {
            found.derived += u64::from(read_from != topic::POSTBACKS);
            found.finished.extend(finished);
        }
    }
}

/// The service that refused a record, and where that stood.
fn letter(record: &Stored) -> Option<(&str, (&str, i32, i64))> {
    let coordinates = (
        header(record, HEADER_TOPIC)?,
        header(record, HEADER_PARTITION)?.parse().ok()?,
        header(record, HEADER_OFFSET)?.parse().ok()?,
    );
    (*record.partition.topic == dead_topic(coordinates.0)).then_some((header(record, HEADER_SERVICE)?, coordinates))
}

/// The delivery that ended with this attempt, if it did.
fn finished(record: &Stored) -> Option<u128> {
    let attempt: Attempt<'_> = serde_json::from_slice(record.payload.as_deref()?).ok()?;
    (attempt.outcome != Outcome::Retrying).then(|| delivery_number(&attempt.delivery_id))?
}

/// The value of the first header of this name: those that we write come before those that a record brought.
fn header<'a>(record: &'a Stored, name: &str) -> Option<&'a str> {
    let (_, value) = record.headers.iter().find(|(header, _)| header == name)?;
    std::str::from_utf8(value).ok()
}

/// Reads `activity/3/117`.
fn place(text: &str) -> Option<(&str, i32, i64)> {
    let (rest, offset) = text.rsplit_once('/')?;
    let (topic, partition) = rest.rsplit_once('/')?;
    Some((topic, partition.parse().ok()?, offset.parse().ok()?))
}

/// Waits until what stood in these topics is committed or aborted: an offset may be committed a moment before a reader of
/// committed records sees the records of its transaction.
pub(crate) fn wait_until_stable(kafka: &Kafka, topics: &[&str]) -> anyhow::Result<()> {
    let (log, stable) = (Watermarks::open(kafka)?, Watermarks::open_stable(kafka)?);
    for topic in topics {
        let ends = log.ends(topic)?;
        let mut tries = 0;
        loop {
            let reached = stable.ends(topic)?;
            let open = ends.iter().zip(&reached).find(|((_, _, end), (_, _, stable))| stable < end);
            let Some(((partition, ..), (_, _, offset))) = open else { break };
            tries += 1;
            if tries > LOOKS {
                let message = format!(
                    "a transaction is open at {topic}/{partition}/{offset}: what comes behind it cannot be read"
                );
                anyhow::bail!(stream::Error::transient(message));
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }
    Ok(())
}

const LOOKS: u32 = 75;
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use stream::{Balance, Offset, Partition};

    use super::*;
    use crate::stages::STAGES;

    fn account(stage: &str, partition: i32, range: std::ops::Range<i64>) -> Account {
        let stage = STAGES.into_iter().find(|known| known.name == stage).unwrap();
        let balance = Balance::new(Offset(range.start));
        Account { stage, partition, position: Offset(range.end), balance, rebuilt: false, pending: HashSet::new() }
    }

    fn record(topic: &str, partition: i32, offset: i64, headers: &[(&str, &str)]) -> Stored {
        Stored {
            partition: Partition::new(topic, partition),
            offset: Offset(offset),
            key: None,
            payload: None,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
            timestamp: 0,
        }
    }

    fn gathered(accounts: &[Account], records: &[Stored]) -> Vec<Evidence> {
        let mut evidence: Vec<Evidence> = accounts.iter().map(|_| Evidence::default()).collect();
        records.iter().for_each(|record| note(record, accounts, &mut evidence));
        evidence
    }

    #[test]
    fn a_record_counts_for_each_stage_that_read_it_since_its_balance_is_kept() {
        let accounts = [
            account("attribution.remember", 1, 0..10),
            account("reports.activity", 1, 5..8),
            account("reports.activity", 2, 0..10),
        ];
        let records: Vec<Stored> = (0..12).map(|offset| record("activity", 1, offset, &[])).collect();
        let counts: Vec<u64> = gathered(&accounts, &records).iter().map(|found| found.records).collect();
        assert_eq!(counts, [10, 3, 0]);
    }

    #[test]
    fn what_was_made_of_a_record_is_found_by_its_source_wherever_it_stands() {
        let accounts = [account("attribution.decide", 1, 5..8)];
        let from = |source: &str, topic: &str| record(topic, 3, 0, &[("src", source), ("src", "activity/1/7")]);
        let records = [
            from("activity/1/5", "installs"),
            from("activity/1/7", "events"),
            from("activity/1/8", "installs"),
            from("activity/1/4", "events"),
            from("activity/2/5", "events"),
            from("activity/1/5", "postbacks"),
            from("nonsense", "events"),
            record("events", 1, 6, &[]),
        ];
        assert_eq!(gathered(&accounts, &records)[0].derived, 2);
    }

    #[test]
    fn a_letter_counts_once_for_the_service_that_refused_the_record() {
        let accounts = [account("reports.installs", 1, 0..10), account("postbacks.installs", 1, 0..10)];
        let letter = |service: &str, offset: &str| {
            let place = [(HEADER_TOPIC, "installs"), (HEADER_PARTITION, "1"), (HEADER_OFFSET, offset)];
            record("installs.dead", 0, 0, &[&place[..], &[(HEADER_SERVICE, service)]].concat())
        };
        let letters =
            [letter("reports", "3"), letter("reports", "3"), letter("reports", "10"), letter("postbacks", "4")];
        let found: Vec<usize> = gathered(&accounts, &letters).iter().map(|found| found.letters.len()).collect();
        assert_eq!(found, [1, 1]);
    }

    #[test]
    fn a_delivery_is_finished_once_it_will_not_be_tried_again() {
        let accounts = [account("postbacks.installs", 1, 0..10), account("postbacks.events", 1, 0..10)];
        let attempt = |id: u8, outcome: &str, source: &str| {
            let payload = format!(
                r#"{{"delivery_id":"{id:032x}","rule":"r","endpoint":"e","event_id":"i","app_id":"a","attempt":1,
                    "outcome":"{outcome}","latency_ms":1,"url":"https://h.example/"}}"#
            );
            Stored { payload: Some(payload.into_bytes()), ..record("postbacks", 1, 0, &[("src", source)]) }
        };
        let attempts = [
            attempt(1, "retrying", "installs/1/3"),
            attempt(2, "retrying", "installs/1/4"),
            attempt(2, "delivered", "installs/1/4"),
            attempt(2, "delivered", "installs/1/4"),
            attempt(3, "failed", "installs/1/5"),
            attempt(4, "failed", "events/1/5"),
            attempt(5, "failed", "installs/1/10"),
        ];
        let found: Vec<usize> = gathered(&accounts, &attempts).iter().map(|found| found.finished.len()).collect();
        assert_eq!(found, [2, 1]);
    }
}
