//! How many partitions there are: a device keeps its number in every topic, and what is stored under it stays there.

use std::time::Duration;

use stream::{Error, Kafka, Result, Watermarks};
use tracing::debug;

use crate::registry::Registry;

const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Watches that topics keep the number of partitions that they had when the service first ran.
pub struct Partitions {
    kafka: Kafka,
    topics: &'static [&'static str],
    count: usize,
}

impl Partitions {
    /// Refuses topics whose counts differ from each other, or from those of the first start of this generation.
    pub async fn open(
        kafka: &Kafka,
        (registry, generation): (&Registry, u32),
        topics: &'static [&'static str],
    ) -> Result<Self> {
        let found = counts(kafka, topics)?;
        let now = require_equal(&found)?;
        let first = registry.first("partitions", &generation.to_string(), &now.to_string()).await?;
        let count =
            first.parse().map_err(|_| Error::fatal(format!("the number of partitions is stored as {first:?}")))?;
        require_all_unchanged(&found, count)?;
        Ok(Self { kafka: kafka.clone(), topics, count })
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Looks at them until shutdown, or until one differs.
    pub async fn watch(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let (kafka, topics) = (self.kafka.clone(), self.topics);
            match tokio::task::spawn_blocking(move || counts(&kafka, topics)).await? {
                Ok(found) => require_all_unchanged(&found, self.count)?,
                // Where Kafka does not answer, the stages say so; the next look comes.
                Err(error) => debug!(%error, "cannot look at the numbers of partitions"),
            }
        }
    }
}

/// Refuses to go on when a topic has another number of partitions than at first: devices would change their partition, and
/// what is stored of them would be looked for in the wrong place.
pub fn require_unchanged(topic: &str, first: usize, now: usize) -> Result<()> {
    if now == first {
        return Ok(());
    }
    Err(Error::configuration(format!(
        "partitions_changed: topic {topic} has {now} partitions, and {first} when this service first ran; to grow, make new \
         topics with the new count, raise redis.generation, and let the services read from the beginning"
    )))
}

fn require_all_unchanged(found: &[(&str, usize)], first: usize) -> Result<()> {
    found.iter().try_for_each(|&(topic, now)| require_unchanged(topic, first, now))
}

fn counts(kafka: &Kafka, topics: &[&'static str]) -> Result<Vec<(&'static str, usize)>> {
    let watermarks = Watermarks::open(kafka)?;
    topics.iter().map(|&topic| Ok((topic, watermarks.partitions(topic)?.len()))).collect()
}

/// The number of partitions that topics have in common.
fn require_equal(counts: &[(&str, usize)]) -> Result<usize> {
    let [(_, count), others @ ..] = counts else { return Err(Error::configuration("no topics")) };
    if others.iter().all(|(_, other)| other == count) {
        return Ok(*count);
    }
    let listed: Vec<String> = counts.iter().map(|(topic, count)| format!("{topic} {count}")).collect();
    Err(Error::configuration(format!(
        "partitions_unequal: the topics must have the same number of partitions, but there are {}",
        listed.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_count_than_before_or_than_elsewhere_is_refused_by_name() {
        assert_eq!(require_equal(&[("activity", 4), ("installs", 4)]).unwrap(), 4);
        let unequal = require_equal(&[("activity", 4), ("installs", 6)]).unwrap_err().to_string();
        assert!(unequal.starts_with("partitions_unequal: ") && unequal.contains("installs 6"), "{unequal}");
        require_unchanged("activity", 4, 4).unwrap();
        let changed = require_unchanged("activity", 4, 6).unwrap_err().to_string();
        assert!(changed.starts_with("partitions_changed: topic activity has 6 partitions, and 4"), "{changed}");
        let found =
            |counts: [usize; 3]| ["installs", "events", "postbacks"].into_iter().zip(counts).collect::<Vec<_>>();
        require_all_unchanged(&found([4, 4, 4]), 4).unwrap();
        for (counts, topic) in
            [([5, 4, 4], "installs"), ([4, 5, 4], "events"), ([4, 4, 5], "postbacks"), ([5, 5, 5], "installs")]
        {
            let refused = require_all_unchanged(&found(counts), 4).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("partitions_changed: topic {topic} has 5")), "{refused}");
        }
    }
}
