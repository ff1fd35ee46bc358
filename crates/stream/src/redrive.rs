//! Letting dead letters in again, for the one service that refused them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::dead::{HEADER_SERVICE, HEADERS, dead_topic};
use crate::{Batch, Kafka, Offset, Outgoing, Publisher, Result, Stage, Watermarks};

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
    let moved = Arc::new(AtomicU64::new(0));
    let name = format!("{service}.redrive-{topic}");
    let publisher = Publisher::open(kafka, &name, &[&to])?;
    let (counted, wanted) = (moved.clone(), service.to_owned());
    let handler = move |batch: &mut Batch<'_>| {
        let letters: Vec<Outgoing> = batch
            .messages()
            .filter(|letter| letter.header(HEADER_SERVICE) == Some(wanted.as_bytes()))
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
