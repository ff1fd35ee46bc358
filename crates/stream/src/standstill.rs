//! Partitions of which nothing arrives although there is more to read: the client waits for something that never comes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::{Offset, Result};

const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Longer than a fetch takes that has to find a new leader.
const PATIENCE: Duration = Duration::from_secs(6);

/// Where each partition stood at the last look, and since when it has not moved although the log goes on behind it.
pub(crate) struct Standstill {
    seen: BTreeMap<i32, (Offset, Option<Instant>)>,
    looked_at: Instant,
}

impl Standstill {
    /// Nothing was looked at before now.
    pub(crate) fn from(now: Instant) -> Self {
        Self { seen: BTreeMap::new(), looked_at: now }
    }

    /// Answers a partition that has stood still for too long. `ends` is asked for those that have not moved since the last
    /// look, and for nothing else.
    pub(crate) fn look(
        &mut self,
        positions: &BTreeMap<i32, Offset>,
        now: Instant,
        ends: impl FnOnce(&[i32]) -> Result<Vec<(i32, i64)>>,
    ) -> Result<Option<i32>> {
        if now.duration_since(self.looked_at) < LOOK_EVERY {
            return Ok(None);
        }
        self.looked_at = now;
        let stood = |(id, position): &(&i32, &Offset)| self.seen.get(id).is_some_and(|(seen, _)| seen == *position);
        let still: Vec<i32> = positions.iter().filter(stood).map(|(&id, _)| id).collect();
        let behind: Vec<i32> = match still[..] {
            [] => Vec::new(),
            _ => ends(&still)?.into_iter().filter(|(id, end)| positions[id].0 < *end).map(|(id, _)| id).collect(),
        };
        let since = |id: &i32| behind.contains(id).then(|| self.seen.get(id).and_then(|seen| seen.1).unwrap_or(now));
        self.seen = positions.iter().map(|(&id, &position)| (id, (position, since(&id)))).collect();
        let is_stuck = |since: &Option<Instant>| since.is_some_and(|since| now.duration_since(since) >= PATIENCE);
        Ok(self.seen.iter().find(|(_, (_, since))| is_stuck(since)).map(|(&id, _)| id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_partition_that_has_more_and_does_not_move_stands_still() {
        let start = Instant::now();
        let mut standstill = Standstill::from(start);
        let mut look = |seconds: u64, idle: i64, busy: i64, stuck: i64| {
            let positions = BTreeMap::from([(0, Offset(idle)), (1, Offset(busy)), (2, Offset(stuck))]);
            let asked = std::cell::RefCell::new(Vec::new());
            let found = standstill.look(&positions, start + Duration::from_secs(seconds), |ids| {
                asked.borrow_mut().extend_from_slice(ids);
                Ok(ids.iter().map(|&id| (id, if id == 0 { 7 } else { 100 })).collect())
            });
            (found.unwrap(), asked.into_inner())
        };
        assert_eq!(look(1, 7, 1, 5), (None, vec![]), "too early to look");
        assert_eq!(look(3, 7, 1, 5), (None, vec![]), "nothing to compare with");
        assert_eq!(look(6, 7, 2, 5), (None, vec![0, 2]));
        assert_eq!(look(9, 7, 3, 5), (None, vec![0, 2]));
        assert_eq!(look(12, 7, 4, 5), (Some(2), vec![0, 2]), "6 s after it was found to be behind");
        assert_eq!(look(15, 7, 4, 6), (None, vec![0, 1]), "it moves again");
        assert_eq!(look(18, 7, 5, 6), (None, vec![0, 2]));
    }
}
