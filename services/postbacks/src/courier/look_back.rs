//! What the log says of deliveries that are finished: the outcome is acknowledged before a delivery is let go of, so a
//! crash between the two leaves it here.

use std::collections::HashSet;
use std::time::Duration;

use event::{Outcome, topic};
use serde::Deserialize;
use stream::tail::{Start, Until};
use stream::{Kafka, Offset, Result, Tail, Watermarks};

use super::finished::number;

/// How far back, from the last record of each partition: a lease is never as long.
pub(super) const WINDOW_MS: i64 = 10 * 60 * 1_000;
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) finished: HashSet<u128>,
    /// Nothing that was recorded since this moment is missing, in milliseconds.
    pub(super) since: i64,
}

#[derive(Deserialize)]
struct Recorded<'a> {
    #[serde(borrow)]
    delivery_id: std::borrow::Cow<'a, str>,
    outcome: Outcome,
}

/// Reads the last minutes of these partitions of `postbacks`, or everything since `since` where that is earlier. Blocks.
///
/// The minutes count from the last record and not from now: whoever wrote it may have died long ago.
pub(super) fn look_back(kafka: &Kafka, partitions: &[i32], since: Option<i64>) -> Result<Seen> {
    if partitions.is_empty() {
        return Ok(Seen::default());
    }
    let ends = Watermarks::open(kafka)?.ends(topic::POSTBACKS)?;
    let last = ends
        .into_iter()
        .filter(|(partition, first, end)| partitions.contains(partition) && end > first)
        .map(|(partition, _, end)| (partition, Offset(end - 1)));
    let mut last_at = Vec::new();
    for record in Tail::open(kafka, topic::POSTBACKS, Start::At(last.collect()), Until::Ends)?.records(PATIENCE) {
        let record = record?;
        last_at.push((record.partition.id, record.timestamp));
    }
    let newest = last_at.iter().map(|(_, at)| *at).max().unwrap_or_default();
    let mut seen = Seen { finished: HashSet::new(), since: (newest - WINDOW_MS).min(since.unwrap_or(i64::MAX)) };
    // Partitions that were written to of late are read together; one that was quiet for long has a window of its own.
    let (recent, quiet): (Vec<_>, Vec<_>) = last_at.into_iter().partition(|(_, at)| *at >= newest - WINDOW_MS);
    let recent_since = recent.iter().map(|(_, at)| at - WINDOW_MS).min().unwrap_or(seen.since).min(seen.since);
    read(kafka, recent.into_iter().map(|(partition, _)| partition).collect(), recent_since, &mut seen)?;
    for (partition, at) in quiet {
        read(kafka, vec![partition], (at - WINDOW_MS).min(seen.since), &mut seen)?;
    }
    Ok(seen)
}

fn read(kafka: &Kafka, partitions: Vec<i32>, since: i64, seen: &mut Seen) -> Result<()> {
    let tail = Tail::open(kafka, topic::POSTBACKS, Start::Since(partitions, since), Until::Ends)?;
    for record in tail.records(PATIENCE) {
        let record = record?;
        // What somebody else wrote into the topic says nothing of our deliveries.
        let recorded = serde_json::from_slice::<Recorded<'_>>(record.payload.as_deref().unwrap_or_default()).ok();
        let finished = recorded.filter(|recorded| recorded.outcome != Outcome::Retrying);
        seen.finished.extend(finished.and_then(|recorded| number(&recorded.delivery_id)));
    }
    Ok(())
}
