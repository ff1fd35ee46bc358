//! What can happen, how often, and how it is told.

use std::fmt;

use proptest::prelude::*;

use super::COURIERS;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    Success,
    Busy,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    None,
    NotApplied,
    AnswerLost,
    /// The record is on its way for as long as a producer tries.
    Delayed,
}

/// One step of a schedule. The second number picks one of what the courier has in hand.
#[derive(Clone)]
pub(super) enum Step {
    Schedule,
    Pass(i64),
    /// Nothing goes wrong for an hour, and what is due is delivered.
    Quiet,
    Turn(usize),
    Claim(usize),
    /// A claimed delivery is looked at: it is let go, given back, or requested.
    Begin(usize, usize),
    Answer(usize, usize, Answer),
    /// The outcome goes to Kafka.
    Record(usize, usize, Fault),
    /// The delivery is removed from Redis, or put off.
    Remove(usize, usize, Fault),
    /// One delivery from claim to removal.
    Deliver(usize),
    Crash(usize),
    /// The partition moves to this courier.
    Move(usize),
    /// It moves, and the one that had it is stopped meanwhile.
    MoveFrozen(usize),
    Wake(usize),
    /// Redis goes back by some changes; its stage notices when it checks.
    Rollback(usize),
    Empty,
    Check,
}

/// A schedule reads as a story.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schedule => write!(f, "a delivery is scheduled"),
            Self::Pass(ms) => write!(f, "{ms} ms pass"),
            Self::Quiet => write!(f, "a quiet hour passes"),
            Self::Turn(courier) => write!(f, "courier {courier} turns"),
            Self::Claim(courier) => write!(f, "courier {courier} claims"),
            Self::Begin(courier, pick) => write!(f, "courier {courier} begins #{pick}"),
            Self::Answer(courier, pick, answer) => write!(f, "courier {courier} is answered for #{pick}: {answer:?}"),
            Self::Record(courier, pick, fault) => write!(f, "courier {courier} records #{pick}: {fault:?}"),
            Self::Remove(courier, pick, fault) => write!(f, "courier {courier} removes #{pick}: {fault:?}"),
            Self::Deliver(courier) => write!(f, "courier {courier} delivers one from claim to removal"),
            Self::Crash(courier) => write!(f, "courier {courier} dies and starts again"),
            Self::Move(courier) => write!(f, "the partition moves to courier {courier}"),
            Self::MoveFrozen(courier) => write!(f, "the partition moves to courier {courier}; the other is stopped"),
            Self::Wake(courier) => write!(f, "courier {courier} wakes"),
            Self::Rollback(changes) => write!(f, "Redis goes back by {changes} changes"),
            Self::Empty => write!(f, "Redis is emptied"),
            Self::Check => write!(f, "the stage looks at its position in Redis"),
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        5 => Just(Fault::None),
        1 => Just(Fault::NotApplied),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Delayed),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let who = || 0..COURIERS;
    let which = || (0..COURIERS, 0..2_usize);
    let answer = prop_oneof![4 => Just(Answer::Success), 1 => Just(Answer::Busy), 1 => Just(Answer::Refused)];
    prop_oneof![
        6 => Just(Step::Schedule),
        6 => prop_oneof![3 => 1..3_000_i64, 2 => 3_000..40_000_i64].prop_map(Step::Pass),
        1 => Just(Step::Quiet),
        12 => who().prop_map(Step::Turn),
        12 => who().prop_map(Step::Claim),
        12 => which().prop_map(|(courier, pick)| Step::Begin(courier, pick)),
        12 => (which(), answer).prop_map(|((courier, pick), answer)| Step::Answer(courier, pick, answer)),
        12 => (which(), fault()).prop_map(|((courier, pick), fault)| Step::Record(courier, pick, fault)),
        12 => (which(), fault()).prop_map(|((courier, pick), fault)| Step::Remove(courier, pick, fault)),
        4 => who().prop_map(Step::Deliver),
        2 => who().prop_map(Step::Crash),
        2 => who().prop_map(Step::Move),
        1 => who().prop_map(Step::MoveFrozen),
        3 => who().prop_map(Step::Wake),
        2 => (1..5_usize).prop_map(Step::Rollback),
        1 => Just(Step::Empty),
        5 => Just(Step::Check),
    ]
}
