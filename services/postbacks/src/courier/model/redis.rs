//! The queue of one partition and the stage that fills it, in memory: what the ledger's scripts do.

use std::collections::BTreeMap;

use crate::courier::ruling::Attempts;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Redis {
    /// How many deliveries of the log are scheduled.
    position: Option<usize>,
    waiting: BTreeMap<usize, Waiting>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Waiting {
    due: i64,
    attempt: u32,
    recorded: u32,
    has_gap: bool,
    perhaps_told_since: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Claimed {
    pub(super) id: usize,
    pub(super) attempts: Attempts,
    pub(super) due: i64,
    pub(super) perhaps_told_since: Option<i64>,
}

impl Redis {
    pub(super) fn position(&self) -> Option<usize> {
        self.position
    }

    /// The stage reads to the end of its log; `horizon` is set where it rebuilds what was lost.
    pub(super) fn schedule(&mut self, end: usize, now: i64, horizon: Option<i64>) {
        for id in self.position.unwrap_or_default()..end {
            let new = Waiting { due: now, perhaps_told_since: horizon, ..Waiting::default() };
            self.waiting.entry(id).or_insert(new);
        }
        self.position = Some(end);
    }

    pub(super) fn claim(&mut self, now: i64, lease_until: i64) -> Option<Claimed> {
        let due = self.waiting.iter_mut().filter(|(_, waiting)| waiting.due <= now);
        let (&id, waiting) = due.min_by_key(|(_, waiting)| waiting.due)?;
        waiting.attempt += 1;
        let Waiting { attempt: claimed, recorded, has_gap, due, perhaps_told_since } = *waiting;
        waiting.due = lease_until;
        let attempts = Attempts { claimed, recorded, has_gap }.perhaps_after(perhaps_told_since);
        Some(Claimed { id, attempts, due, perhaps_told_since })
    }

    pub(super) fn finish(&mut self, id: usize) {
        self.waiting.remove(&id);
    }

    pub(super) fn give_back(&mut self, claimed: &Claimed) {
        if let Some(waiting) =
            self.waiting.get_mut(&claimed.id).filter(|waiting| waiting.attempt == claimed.attempts.claimed)
        {
            waiting.attempt -= 1;
            waiting.due = claimed.due;
        }
    }

    pub(super) fn retry(&mut self, claimed: &Claimed, (due, has_gap): (i64, bool)) {
        let attempt = claimed.attempts.claimed;
        if let Some(waiting) = self.waiting.get_mut(&claimed.id).filter(|waiting| waiting.attempt == attempt) {
            waiting.recorded = attempt;
            waiting.has_gap |= has_gap;
            waiting.due = due;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
