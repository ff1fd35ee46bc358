//! How many partitions there are: a device keeps its number in every topic, and what is stored under it stays there.

use stream::{Error, Result};

/// Refuses to go on when a topic has another number of partitions than when this service first ran: devices would change
/// their partition, and their touches and decisions would be looked for in the wrong place.
pub(crate) fn require_unchanged(topic: &str, first: usize, now: usize) -> Result<()> {
    if now == first {
        return Ok(());
    }
    Err(Error::configuration(format!(
        "partitions_changed: {topic} has {now} partitions, and {first} when attribution first ran; to grow, make new \
         topics with the new count, raise redis.generation, and let the services read from the beginning"
    )))
}

/// The number of partitions that topics have in common.
pub(crate) fn require_equal(counts: &[(&str, usize)]) -> Result<usize> {
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
        assert!(changed.starts_with("partitions_changed: activity has 6"), "{changed}");
    }
}
