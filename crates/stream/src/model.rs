//! The guarantee as a property over schedules: whatever order of polls, commits, lost answers, crashes, zombies, rebalances
//! and rollbacks of the store, after every step *the store equals the fold of the log up to the stored position*, and no
//! position has passed a record that is neither counted nor among the dead letters. A store that was emptied says that it is
//! rebuilding until it has caught up with what was noted of it in Kafka.
//!
//! Each of these was tried, and fails within a second: dead letters that are not sent; a reject that is forgotten when the
//! batch runs again after a panic; a position that does not move over control records; a sink that applies a part behind
//! or before its position; a store that was emptied and says nothing.

mod schedule;
mod store;
mod world;

use proptest::prelude::*;
use testkit::explore;

use self::schedule::step;
use self::world::World;

const PARTITIONS: usize = 3;
const WORKERS: usize = 3;

#[test]
fn the_store_is_the_fold_of_a_prefix_whatever_the_schedule() {
    let schedules = prop::collection::vec(step(), 1..80);
    let reached = explore(100_000, &schedules, |steps, reached| {
        let mut world = World::new();
        for step in steps {
            world.apply(step);
            world.check()?;
        }
        world.settle()?;
        reached.add(&world.reached);
        Ok(())
    });
    reached.require(
        2_000,
        &[
            "answer lost",
            "commit not applied",
            "first part alone applied",
            "zombie fenced",
            "worker fenced",
            "dead letter refused",
            "letter",
            "letter after a panic",
            "part of control records alone",
            "rebalance that dropped a gather",
            "crash with work in hand",
            "rollback of all",
            "rollback of one",
            "emptied",
            "witness",
            "growth",
        ],
    );
}
