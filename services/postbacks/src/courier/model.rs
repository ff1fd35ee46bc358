//! The guarantee of the courier as a property over schedules: whatever dies, stands still, moves, is lost on its way or is
//! forgotten by Redis, every delivery is told or fails for good; an endpoint that answered a success is asked again only
//! where that answer could be lost (its process died or stood still, lost the partition, or Redis went back; or Kafka did
//! not have it yet when one that had lost the partition took the delivery up unawares), at most once for each that could; the
//! record of a repetition says so; and at most one success of a delivery is recorded.
//!
//! The decisions (`ruling`), what a process remembers, the schedule of retries and what a status means are the real ones;
//! Redis, Kafka, the endpoint and the order in which things happen are the model's.

mod errands;
mod process;
mod redis;
mod schedule;
mod trouble;
mod world;

use proptest::prelude::*;
use testkit::explore;

use self::schedule::{Answer, Fault, Step, step};
use self::world::World;

const COURIERS: usize = 2;

#[test]
fn every_delivery_is_told_and_told_again_only_where_an_answer_could_be_lost() {
    let schedules = prop::collection::vec(step(), 1..120);
    let reached = explore(200_000, &schedules, |steps, reached| {
        let mut world = World::new();
        for step in steps {
            world.apply(step)?;
        }
        world.settle()?;
        reached.add(&world.reached);
        Ok(())
    });
    reached.require(
        100,
        &[
            "claimed after a crash or a lost answer",
            "claimed by a zombie",
            "claimed while under way",
            "delayed record arrived",
            "died with a request under way",
            "earlier answer recorded",
            "given back",
            "given back for a look back",
            "let go",
            "not acknowledged",
            "recorded, flagged",
            "removal lost",
            "stopped with work in hand",
            "success repeated",
            "too late to record",
            "a quiet hour",
            "Redis went back",
            "Redis was emptied",
        ],
    );
}

const CLAIM: [Step; 2] = [Step::Turn(0), Step::Claim(0)];
const LOST: [Step; 4] = [Step::Begin(0, 0), Step::Answer(0, 0, Answer::Success), Step::Crash(0), Step::Pass(21_000)];

#[test]
fn a_lost_answer_is_still_told_of_after_a_recorded_one() {
    let busy = [Step::Begin(0, 0), Step::Answer(0, 0, Answer::Busy), Step::Record(0, 0, Fault::None)];
    assert_eq!(flags(&[&CLAIM, &LOST, &CLAIM, &busy, &[Step::Remove(0, 0, Fault::None)]]), [true, true]);
}

/// Courier 1 has the partition, and takes the delivery up.
const TAKEN_UP: [Step; 4] = [Step::Move(1), Step::Turn(1), Step::Claim(1), Step::Begin(1, 0)];

/// Courier 1 keeps an answer that Kafka did not acknowledge, and its lease ends while courier 0 has the partition.
fn kept(answer: Answer) -> [Step; 4] {
    [Step::Answer(1, 0, answer), Step::Record(1, 0, Fault::NotApplied), Step::Move(0), Step::Pass(21_000)]
}

/// Courier 1 records what it kept after courier 0 had the delivery.
#[test]
fn a_lost_answer_is_still_told_of_after_an_older_one_that_was_kept() {
    let recorded = [Step::Record(1, 0, Fault::None), Step::Remove(1, 0, Fault::None)];
    let schedule: [&[Step]; 6] = [&TAKEN_UP, &kept(Answer::Busy), &CLAIM, &LOST, &TAKEN_UP, &recorded];
    assert_eq!(flags(&schedule), [false, true]);
}

/// Courier 0 records an answer meanwhile, too late for the look back of courier 1.
#[test]
fn an_answer_that_was_kept_is_not_recorded_behind_another_success() {
    let meanwhile = [
        Step::Begin(0, 0),
        Step::Answer(0, 0, Answer::Success),
        Step::Move(1),
        Step::Turn(1),
        Step::Record(0, 0, Fault::None),
        Step::Crash(0),
        Step::Pass(21_000),
    ];
    let recorded = [Step::Claim(1), Step::Begin(1, 0), Step::Record(1, 0, Fault::None)];
    assert_eq!(flags(&[&TAKEN_UP, &kept(Answer::Success), &CLAIM, &meanwhile, &recorded]), [true]);
}

/// Courier 1 was stopped while the partition moved to courier 0, and has not heard of it.
const STOPPED: [Step; 3] = [Step::Move(1), Step::MoveFrozen(0), Step::Wake(1)];

#[test]
fn an_answer_with_which_the_owner_stood_still_is_lost_before_he_notices() {
    let stands_still = [Step::Begin(0, 0), Step::Answer(0, 0, Answer::Success), Step::Pass(21_000)];
    let recorded = [Step::Deliver(1), Step::Record(0, 0, Fault::None)];
    assert_eq!(flags(&[&STOPPED, &CLAIM, &stands_still, &recorded]), [true]);
}

#[test]
fn an_answer_that_the_owner_kept_is_not_known_to_him_who_has_not_heard_of_it() {
    let told = [Step::Begin(0, 0), Step::Answer(0, 0, Answer::Success), Step::Record(0, 0, Fault::NotApplied)];
    assert_eq!(flags(&[&STOPPED, &CLAIM, &told, &[Step::Pass(21_000), Step::Deliver(1)]]), [true]);
}
/// Whether each record of a delivery says that it may be a repetition.
fn flags(schedule: &[&[Step]]) -> Vec<bool> {
    let mut world = World::new();
    for step in [Step::Schedule].iter().chain(schedule.iter().copied().flatten()) {
        world.apply(step).unwrap();
    }
    world.settle().unwrap();
    world.log.iter().map(|attempt| attempt.possibly_repeated).collect()
}
