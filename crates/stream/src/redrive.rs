//! Letting dead letters in again, for the one service that refused them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::HashMap;

use crate::dead::{HEADER_OFFSET, HEADER_PARTITION, HEADER_SERVICE, HEADER_TOPIC, HEADERS, dead_topic};
use crate::tail::{Start, Tail, Until};
use crate::{Batch, Error, Kafka, Offset, Outgoing, Publisher, Result, Stage, Watermarks};

const READ_WITHIN: Duration = Duration::from_secs(10);

/// The topic in which a service reads its letters again. Only that service reads it: in the shared topic, every other
/// reader would count them twice.
pub fn redrive_topic(topic: &str, service: &str) -> String {
    format!("{topic}.redrive.{service}")
}

/// Moves the letters of `service` that stand in `<topic>.dead` now and were not moved yet, in transactions; answers how
/// many. Each letter is moved once, however often this is called and whenever it is killed.
pub fn redrive(kafka: &Kafka, topic: &str, service: &str) -> Result<u64> {
    let (dead, to) = (dead_topic(topic), redrive_topic(topic, service));
    let ends = Watermarks::open(kafka)?.ends(&dead)?;
    let firsts = first_letters(kafka, &dead)?;
    let moved = Arc::new(AtomicU64::new(0));
    let name = format!("{service}.redrive-{topic}");
    let publisher = Publisher::open(kafka, &name, &[&to])?;
    let (counted, wanted) = (moved.clone(), service.to_owned());
    let handler = move |batch: &mut Batch<'_>| {
        let letters: Vec<Outgoing> = batch
            .messages()
            .filter(|letter| letter.header(HEADER_SERVICE) == Some(wanted.as_bytes()))
            .filter(|letter| {
                let place = (batch.partition().id, letter.offset());
                coordinates(|name| letter.header(name)).is_none_or(|original| firsts.get(&original) == Some(&place))
            })
            .map(|letter| {
                let mut again =
                    Outgoing::to(&to, letter.raw().unwrap_or_default()).key(letter.key().unwrap_or_default());
                again.headers =
                    letter.headers().into_iter().filter(|(name, _)| !HEADERS.contains(&name.as_str())).collect();
                again
            })
            .collect();
        counted.fetch_add(letters.len() as u64, Ordering::Relaxed);
        Ok(letters)
    };
    let stage = Stage::open(kafka, &name, &dead, publisher, handler)?;
    let assignment = stage.assignment();
    let is_done =
        |&(id, _, end): &(i32, i64, i64)| assignment.position(id).is_some_and(|position| position >= Offset(end));
    stage.run(|_| !ends.iter().all(is_done))?;
    Ok(moved.load(Ordering::Relaxed))
}

/// Where a letter's original stands: topic, partition, offset.
type Coordinates = (Vec<u8>, Vec<u8>, Vec<u8>);

/// A crash may repeat a letter. The first of those with the same coordinates is the one that is moved.
fn first_letters(kafka: &Kafka, dead: &str) -> Result<HashMap<Coordinates, (i32, Offset)>> {
    let mut firsts = HashMap::new();
    let mut tail = Tail::open(kafka, dead, Start::Everything, Until::Ends)?;
    while let Some(letter) = tail.next(READ_WITHIN)? {
        let header = |name: &str| letter.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice());
        if let Some(original) = coordinates(header) {
            firsts.entry(original).or_insert((letter.partition.id, letter.offset));
        }
    }
    if tail.is_done() { Ok(firsts) } else { Err(Error::transient(format!("{dead} cannot be read to its end"))) }
}

fn coordinates<'a>(header: impl Fn(&str) -> Option<&'a [u8]>) -> Option<Coordinates> {
    let owned = |name| header(name).map(<[u8]>::to_vec);
    Some((owned(HEADER_TOPIC)?, owned(HEADER_PARTITION)?, owned(HEADER_OFFSET)?))
}
