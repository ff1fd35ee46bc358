//! The partition counts that the keys in Redis rest on: a device has one partition number in every topic.

use std::time::Duration;

use anyhow::Result;
use event::topic::{EVENTS, INSTALLS, POSTBACKS};
use ledger::Registry;
use stream::{Kafka, Watermarks};
use tokio_util::sync::CancellationToken;

const LOOK_EVERY: Duration = Duration::from_secs(30);
const TOPICS: [&str; 3] = [INSTALLS, EVENTS, POSTBACKS];

/// Watches that every topic keeps the number of partitions of the first start.
pub(crate) struct Partitions {
    kafka: Kafka,
    count: usize,
}

impl Partitions {
    /// Refuses to start where the counts differ from each other, or from those of the first start.
    pub(crate) async fn open(kafka: &Kafka, registry: &Registry, generation: u32) -> Result<Self> {
        let found = counts(kafka)?;
        let stands = registry.first("partitions", &generation.to_string(), &found[0].to_string()).await?;
        check(found, stands.parse().unwrap_or_default())?;
        Ok(Self { kafka: kafka.clone(), count: found[0] })
    }

    /// Looks at them until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> Result<()> {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let kafka = self.kafka.clone();
            // Where Kafka does not answer, the stages say so; the next look comes.
            if let Ok(found) = tokio::task::spawn_blocking(move || counts(&kafka)).await? {
                check(found, self.count)?;
            }
        }
    }
}

fn counts(kafka: &Kafka) -> stream::Result<[usize; 3]> {
    let watermarks = Watermarks::open(kafka)?;
    let mut counts = [0; 3];
    for (count, topic) in counts.iter_mut().zip(TOPICS) {
        *count = watermarks.partitions(topic)?.len();
    }
    Ok(counts)
}

fn check(found: [usize; 3], expected: usize) -> Result<()> {
    match TOPICS.iter().zip(found).find(|(_, count)| *count != expected) {
        None => Ok(()),
        Some((topic, count)) => Err(service::bad_configuration(format!(
            "partitions_changed: topic {topic} has {count} partitions, and postbacks began with {expected}: a device \
             would have two places. Make new topics with the wanted count, and set redis.generation to a new number"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_count_stops_the_service_and_names_the_topic() {
        assert!(check([4, 4, 4], 4).is_ok());
        for (found, topic) in
            [([5, 4, 4], INSTALLS), ([4, 5, 4], EVENTS), ([4, 4, 5], POSTBACKS), ([5, 5, 5], INSTALLS)]
        {
            let refused = check(found, 4).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("partitions_changed: topic {topic} has 5")), "{refused}");
        }
    }
}
