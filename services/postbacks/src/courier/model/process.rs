//! A process with a courier: what it has in hand, and what it believes.

use std::collections::BTreeMap;

use crate::courier::attempt::Tried;
use crate::courier::board::{Board, Known};
use crate::courier::memory::Memory;
use crate::courier::ruling::{lease, may_record};
use crate::verdict::Verdict;

use super::errands::{TIMEOUT, elapsed};
use super::redis::Claimed;
use super::world::{Attempt, Story};

#[derive(Default)]
pub(super) struct Process {
    pub(super) memory: Memory,
    pub(super) board: Board,
    /// Of the stage's assignment.
    pub(super) session: u64,
    /// Whether it believes to own the partition.
    pub(super) owns: bool,
    pub(super) is_frozen: bool,
    /// What its stage believes to be stored.
    pub(super) position: Option<usize>,
    pub(super) errands: Vec<Errand>,
    /// Deliveries with an answer that Kafka has not acknowledged, beyond the errands.
    pub(super) unrecorded: BTreeMap<usize, Kept>,
}

#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub(super) is_success: bool,
    pub(super) repeats: bool,
}

pub(super) struct Errand {
    pub(super) claimed: Claimed,
    pub(super) claimed_at: i64,
    pub(super) known: Known,
    /// In which it was claimed.
    pub(super) session: u64,
    pub(super) state: State,
    /// Its answer cannot be recorded in time any more.
    pub(super) is_lost: bool,
}

impl Errand {
    /// Whoever stood still with an answer has lost it before he notices.
    pub(super) fn lose_if_late(&mut self, now: i64, story: &mut Story) {
        let State::Answered { tried, .. } = &self.state else { return };
        if !self.is_lost && !may_record(elapsed(self.claimed_at, now), lease(TIMEOUT)) {
            self.is_lost = true;
            story.was_dropped = true;
            story.disturbances += usize::from(tried.verdict == Verdict::Delivered);
        }
    }
}

pub(super) enum State {
    Claimed,
    Requested {
        at: i64,
        repeats: bool,
    },
    Answered {
        attempt: u32,
        tried: Tried,
        repeats: bool,
    },
    /// On its way to Kafka, which has it by then or never.
    Recording {
        until: i64,
        attempt: Attempt,
        next: Next,
    },
    Recorded {
        next: Next,
    },
}

/// When a delivery is due again, and whether its attempts leave a gap.
pub(super) type Next = Option<(i64, bool)>;

impl Process {
    /// Its stage got or lost the partition, or recovered.
    pub(super) fn hear(&mut self, owns: bool) {
        self.session += 1;
        self.owns = owns;
    }

    /// The session as the board has it.
    pub(super) fn sessions(&self) -> Vec<u64> {
        vec![self.session]
    }

    /// The deliveries of which an answered success would be lost with this process.
    pub(super) fn in_flight(&self) -> Vec<usize> {
        self.those(|state| matches!(state, State::Requested { .. } | State::Answered { .. } | State::Recording { .. }))
    }

    /// The deliveries that a Redis which went back hands out a second time.
    pub(super) fn in_hand(&self) -> Vec<usize> {
        self.those(|state| !matches!(state, State::Recorded { .. }))
    }

    fn those(&self, is_meant: impl Fn(&State) -> bool) -> Vec<usize> {
        let errands = self.errands.iter().filter(|errand| is_meant(&errand.state)).map(|errand| errand.claimed.id);
        let kept = self.unrecorded.iter().filter(|(_, kept)| kept.is_success).map(|(&id, _)| id);
        errands.chain(kept).collect()
    }
}
