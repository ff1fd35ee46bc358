//! What can happen, and how often.

use proptest::prelude::*;

use super::{PARTITIONS, WORKERS};

/// What stands at an offset of the log.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    Number(i64),
    Garbage,
    Poison,
    Control,
}

/// One step of a schedule.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Append(usize, Entry),
    Poll {
        worker: usize,
        most: usize,
    },
    /// Handles what was polled and commits it, unless something happens on the way.
    Commit(usize, Fault),
    /// The worker dies; what it had polled is gone.
    Crash(usize),
    /// Partitions move to these workers. A frozen worker does not hear of it: it wakes as a zombie.
    Rebalance {
        owners: [usize; PARTITIONS],
        frozen: Option<usize>,
    },
    /// The store goes back to what it was some commits ago: of one partition, or of all.
    Rollback {
        partition: Option<usize>,
        commits: usize,
    },
    Empty,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    None,
    NotApplied,
    AnswerLost,
    FirstPartOnly,
    LetterRefused,
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        6 => (1..100_i64).prop_map(Entry::Number),
        1 => Just(Entry::Garbage),
        1 => Just(Entry::Poison),
        1 => Just(Entry::Control),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::NotApplied),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::FirstPartOnly),
        1 => Just(Fault::LetterRefused),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let frozen = prop::option::of(0..WORKERS);
    prop_oneof![
        6 => (0..PARTITIONS, entry()).prop_map(|(partition, entry)| Step::Append(partition, entry)),
        6 => (0..WORKERS, 1..5_usize).prop_map(|(worker, most)| Step::Poll { worker, most }),
        6 => (0..WORKERS, fault()).prop_map(|(worker, fault)| Step::Commit(worker, fault)),
        1 => (0..WORKERS).prop_map(Step::Crash),
        2 => (prop::array::uniform3(0..WORKERS), frozen).prop_map(|(owners, frozen)| Step::Rebalance { owners, frozen }),
        1 => (prop::option::of(0..PARTITIONS), 1..4_usize)
            .prop_map(|(partition, commits)| Step::Rollback { partition, commits }),
        1 => Just(Step::Empty),
    ]
}
