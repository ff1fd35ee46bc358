//! Deliveries that are known to be finished: what Redis may bring back if it forgot its last moments.

use std::collections::HashSet;

/// Ids are hashes already; eight of sixteen bytes would do, but these cost little.
#[derive(Debug, Default)]
pub(super) struct Finished {
    /// From the log, as of the last look back.
    looked_back: HashSet<u128>,
    /// From this process, youngest first.
    own: [HashSet<u128>; 2],
}

/// How many of its own outcomes the courier remembers at least. Redis forgets seconds; this is minutes.
const OWN_AT_LEAST: usize = 250_000;

impl Finished {
    pub(super) fn contains(&self, id: &str) -> bool {
        let Some(id) = number(id) else { return false };
        self.looked_back.contains(&id) || self.own.iter().any(|own| own.contains(&id))
    }

    pub(super) fn remember(&mut self, id: &str) {
        let Some(id) = number(id) else { return };
        if self.own[0].len() >= OWN_AT_LEAST {
            self.own[1] = std::mem::take(&mut self.own[0]);
        }
        self.own[0].insert(id);
    }

    pub(super) fn relearn(&mut self, looked_back: HashSet<u128>) {
        self.looked_back = looked_back;
    }
}

/// The number that a delivery id writes in hexadecimal.
pub(super) fn number(id: &str) -> Option<u128> {
    u128::from_str_radix(id, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_finished_last_is_remembered_and_what_the_log_says_is_replaced() {
        let mut finished = Finished::default();
        for id in 0..600_000_u128 {
            finished.remember(&format!("{id:032x}"));
        }
        assert!(finished.contains(&format!("{:032x}", 599_999)));
        assert!(finished.contains(&format!("{:032x}", 350_000)));
        assert!(!finished.contains(&format!("{:032x}", 1)));

        finished.relearn(HashSet::from([1]));
        assert!(finished.contains(&format!("{:032x}", 1)));
        finished.relearn(HashSet::new());
        assert!(!finished.contains(&format!("{:032x}", 1)));
    }
}
