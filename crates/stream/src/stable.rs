//! Somebody's transaction that hangs: a `read_committed` reader sees nothing behind its first record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A transaction that is open for longer than this stands in everybody's way.
const PATIENCE: Duration = Duration::from_secs(30);

/// The last stable offset of a partition, and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Horizon {
    pub(crate) stable: i64,
    pub(crate) end: i64,
}

/// For each partition whose end cannot be read, the last stable offset and since when it is that.
#[derive(Default)]
pub(crate) struct Hanging(BTreeMap<i32, (i64, Instant)>);

impl Hanging {
    pub(crate) fn observe(&mut self, horizons: &BTreeMap<i32, Horizon>, now: Instant) {
        self.0.retain(|id, _| horizons.contains_key(id));
        for (&id, horizon) in horizons {
            let waits = horizon.stable >= 0 && horizon.stable < horizon.end;
            match self.0.get(&id) {
                _ if !waits => drop(self.0.remove(&id)),
                Some((stable, _)) if *stable == horizon.stable => {}
                _ => drop(self.0.insert(id, (horizon.stable, now))),
            }
        }
    }

    /// What hangs for too long, in words.
    pub(crate) fn in_words(&self, topic: &str, now: Instant) -> Option<String> {
        let (id, (stable, since)) = self.0.iter().find(|(_, (_, since))| now.duration_since(*since) >= PATIENCE)?;
        let seconds = now.duration_since(*since).as_secs();
        Some(format!(
            "{topic}/{id}: a transaction hangs at offset {stable} for {seconds} s, and nothing behind it can be read; \
             see `kafka-transactions.sh find-hanging`"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_offset_that_does_not_move_is_a_transaction_that_hangs() {
        let start = Instant::now();
        let mut hanging = Hanging::default();
        let mut look = |stable: i64, end: i64, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            hanging.observe(&BTreeMap::from([(7, Horizon { stable, end })]), now);
            hanging.in_words("installs", now)
        };
        assert_eq!(look(10, 10, 0), None);
        assert_eq!(look(10, 20, 1), None);
        assert_eq!(look(15, 90, 29), None, "it moves");
        assert_eq!(look(15, 99, 58), None);
        let words = look(15, 120, 60).unwrap();
        assert!(words.starts_with("installs/7: a transaction hangs at offset 15 for 31 s"), "{words}");
        assert_eq!(look(120, 120, 61), None, "it ended");
        assert_eq!(look(-1001, 130, 99), None, "not known yet");
    }
}
