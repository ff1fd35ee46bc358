//! The guarantee of the courier as a property over schedules: whatever dies, stands still, moves, is lost on its way or is
//! forgotten by Redis, every delivery is told or fails for good; an endpoint that answered a success is asked again only
//! where that answer could be lost (its process died or stood still, lost the partition, or Redis went back), at most once
//! for each that could; the record of a repetition says so; and at most one success of a delivery is recorded.
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

use self::schedule::step;
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
