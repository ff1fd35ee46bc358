//! What can happen, how often, and how it is told.

use std::fmt;

use proptest::prelude::*;

use super::{PARTITIONS, WORKERS};

/// What stands at an offset of `activity`. Ids are from small ranges, so that every repetition happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    Click { device: u8 },
    Install { event_id: u8, install_id: u8, device: u8 },
    Event { event_id: u8, install_id: u8 },
    Garbage,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    Remember,
    Decide,
    Record,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    None,
    NotApplied,
    AnswerLost,
    /// Of the stores: the first partition alone. Of the publisher: half of the records, in a transaction that stays open.
    Torn,
    /// Of the publisher: all is sent, and the end of the transaction is still on its way.
    EndDelayed,
}

/// One step of a schedule.
#[derive(Clone)]
pub(super) enum Step {
    Append(usize, Entry),
    Wait(i64),
    /// The clock of the workers is set to be so much ahead of the brokers'.
    SetClock(i64),
    /// A worker of `remember` or `record` polls.
    Read(Stage, usize, usize),
    /// It stores what it polled.
    Store(Stage, usize, Fault),
    /// All workers of `remember` or `record` read to the end.
    CatchUp(Stage),
    /// A worker of `decide` polls; decides what it polled, while other things happen; publishes what it decided.
    Poll(usize, usize),
    Decide(usize, Vec<Step>),
    Publish(usize, Fault),
    /// All of this in one go, and nothing goes wrong.
    Work(usize),
    Crash(Stage, usize),
    /// Partitions move. A worker hears of it when it polls the next time: until then it is a zombie.
    Move(Stage, [usize; PARTITIONS]),
    /// A store goes back by some commits, of one partition or of all.
    Rollback(Stage, Option<usize>, usize),
    Empty(Stage),
    /// Kafka aborts the transactions that are open for too long.
    Expire,
    /// The delayed end of a worker's transaction arrives.
    Arrive(usize),
}

/// A schedule reads as a story.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(partition, entry) => write!(f, "activity/{partition} gets {entry:?}"),
            Self::Wait(ms) => write!(f, "{ms} ms pass"),
            Self::SetClock(ms) => write!(f, "the workers' clock is {ms} ms ahead from now on"),
            Self::Read(stage, worker, most) => write!(f, "{stage:?} {worker} polls, at most {most} of a partition"),
            Self::Store(stage, worker, fault) => write!(f, "{stage:?} {worker} stores{}", told(*fault)),
            Self::CatchUp(stage) => write!(f, "{stage:?} catches up"),
            Self::Poll(worker, most) => write!(f, "Decide {worker} polls, at most {most} of a partition"),
            Self::Decide(worker, meanwhile) if meanwhile.is_empty() => write!(f, "Decide {worker} decides"),
            Self::Decide(worker, meanwhile) => write!(f, "Decide {worker} decides; while it waits: {meanwhile:?}"),
            Self::Publish(worker, fault) => write!(f, "Decide {worker} publishes{}", told(*fault)),
            Self::Work(worker) => {
                write!(f, "Remember and Record catch up; Decide {worker} polls, decides and publishes")
            }
            Self::Crash(stage, worker) => write!(f, "{stage:?} {worker} dies and starts again"),
            Self::Move(stage, owners) => write!(f, "the partitions of {stage:?} move to workers {owners:?}"),
            Self::Rollback(stage, None, commits) => write!(f, "the store of {stage:?} goes back by {commits} commits"),
            Self::Rollback(stage, Some(id), commits) => {
                write!(f, "the store of {stage:?}, partition {id}, goes back by {commits} commits")
            }
            Self::Empty(stage) => write!(f, "the store of {stage:?} is emptied"),
            Self::Expire => write!(f, "open transactions time out"),
            Self::Arrive(worker) => write!(f, "the delayed end of Decide {worker}'s transaction arrives"),
        }
    }
}

fn told(fault: Fault) -> String {
    if fault == Fault::None { String::new() } else { format!(": {fault:?}") }
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        8 => (0..2_u8).prop_map(|device| Entry::Click { device }),
        8 => (0..6_u8, 0..3_u8, 0..2_u8)
            .prop_map(|(event_id, install_id, device)| Entry::Install { event_id, install_id, device }),
        8 => (0..6_u8, 0..3_u8).prop_map(|(event_id, install_id)| Entry::Event { event_id, install_id }),
        1 => Just(Entry::Garbage),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::NotApplied),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Torn),
        3 => Just(Fault::EndDelayed),
    ]
}

fn index() -> impl Strategy<Value = Stage> {
    prop_oneof![Just(Stage::Remember), Just(Stage::Record)]
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![1 => Just(Stage::Remember), 2 => Just(Stage::Decide), 1 => Just(Stage::Record)]
}

/// What can also happen while a worker of `decide` waits.
fn elsewhere() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..PARTITIONS, entry()).prop_map(|(partition, entry)| Step::Append(partition, entry)),
        4 => (1..60_i64).prop_map(Step::Wait),
        6 => (index(), 0..WORKERS, 1..5_usize).prop_map(|(stage, worker, most)| Step::Read(stage, worker, most)),
        6 => (index(), 0..WORKERS, fault()).prop_map(|(stage, worker, fault)| Step::Store(stage, worker, fault)),
        12 => index().prop_map(Step::CatchUp),
        4 => (stage(), prop::array::uniform2(0..WORKERS)).prop_map(|(stage, owners)| Step::Move(stage, owners)),
        2 => (index(), prop::option::of(0..PARTITIONS), 1..4_usize)
            .prop_map(|(stage, partition, commits)| Step::Rollback(stage, partition, commits)),
        1 => index().prop_map(Step::Empty),
        1 => Just(Step::Expire),
        4 => (0..WORKERS).prop_map(Step::Arrive),
        1 => prop_oneof![2 => Just(0_i64), 4 => Just(-3_600_000), 1 => Just(200), 1 => Just(3_600_000)]
            .prop_map(Step::SetClock),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let decide = (0..WORKERS, prop::collection::vec(elsewhere(), 0..9));
    prop_oneof![
        40 => elsewhere(),
        6 => (0..WORKERS).prop_map(Step::Work),
        16 => (0..WORKERS, 1..5_usize).prop_map(|(worker, most)| Step::Poll(worker, most)),
        16 => decide.prop_map(|(worker, meanwhile)| Step::Decide(worker, meanwhile)),
        16 => (0..WORKERS, fault()).prop_map(|(worker, fault)| Step::Publish(worker, fault)),
        1 => (stage(), 0..WORKERS).prop_map(|(stage, worker)| Step::Crash(stage, worker)),
    ]
}
