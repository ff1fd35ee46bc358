//! What can happen, how often, and how it is told.

use std::fmt;

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
#[derive(Clone)]
pub(super) enum Step {
    Append(usize, Entry),
    Poll {
        worker: usize,
        most: usize,
    },
    /// Partitions move while the worker gathers: what it has so far is dropped.
    PollTorn {
        worker: usize,
        owners: [usize; PARTITIONS],
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
    /// The topic gets another partition.
    Grow,
    /// The positions that were stored are noted in Kafka: the witness.
    Note(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    None,
    NotApplied,
    AnswerLost,
    FirstPartOnly,
    LetterRefused,
}

/// A schedule reads as a story.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(partition, entry) => write!(f, "{entry:?} is appended to partition {partition}"),
            Self::Poll { worker, most } => write!(f, "worker {worker} polls, at most {most} of a partition"),
            Self::PollTorn { worker, owners } => {
                write!(f, "worker {worker} polls; meanwhile the partitions move to workers {owners:?}")
            }
            Self::Commit(worker, Fault::None) => write!(f, "worker {worker} commits"),
            Self::Commit(worker, fault) => write!(f, "worker {worker} commits: {fault:?}"),
            Self::Crash(worker) => write!(f, "worker {worker} dies and starts again"),
            Self::Rebalance { owners, frozen: None } => write!(f, "the partitions move to workers {owners:?}"),
            Self::Rebalance { owners, frozen: Some(worker) } => {
                write!(f, "the partitions move to workers {owners:?}, of which worker {worker} hears nothing")
            }
            Self::Rollback { partition: None, commits } => write!(f, "the store goes back by {commits} commits"),
            Self::Rollback { partition: Some(id), commits } => {
                write!(f, "the store of partition {id} goes back by {commits} commits")
            }
            Self::Empty => write!(f, "the store is emptied"),
            Self::Grow => write!(f, "the topic gets another partition"),
            Self::Note(worker) => write!(f, "worker {worker} notes its positions in Kafka"),
        }
    }
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
    let owners = || prop::array::uniform3(0..WORKERS);
    let frozen = prop::option::weighted(0.7, 0..WORKERS);
    prop_oneof![
        20 => (0..PARTITIONS, entry()).prop_map(|(partition, entry)| Step::Append(partition, entry)),
        24 => (0..WORKERS, 1..5_usize).prop_map(|(worker, most)| Step::Poll { worker, most }),
        24 => (0..WORKERS, fault()).prop_map(|(worker, fault)| Step::Commit(worker, fault)),
        1 => (0..WORKERS, owners()).prop_map(|(worker, owners)| Step::PollTorn { worker, owners }),
        2 => (0..WORKERS).prop_map(Step::Crash),
        4 => (owners(), frozen).prop_map(|(owners, frozen)| Step::Rebalance { owners, frozen }),
        6 => (prop::option::of(0..PARTITIONS), 1..4_usize)
            .prop_map(|(partition, commits)| Step::Rollback { partition, commits }),
        2 => Just(Step::Empty),
        1 => Just(Step::Grow),
        6 => (0..WORKERS).prop_map(Step::Note),
    ]
}
