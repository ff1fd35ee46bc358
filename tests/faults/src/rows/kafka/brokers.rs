//! Brokers that die, freeze, restart and hand over their partitions.

use std::time::Duration;

use event::topic;
use rand::Rng as _;

use crate::fire::{Fire, IN_FLIGHT};

use super::probe;

const S: Duration = Duration::from_secs(1);

/// The node that leads a partition of `activity` that the seed picks.
fn a_leader(fire: &mut Fire) -> usize {
    let partition = fire.random.random_range(0..4);
    fire.suite.kafka.leader(topic::ACTIVITY, partition).unwrap()
}

pub(super) fn leader_killed(fire: &mut Fire) {
    fire.run_for(2 * S..5 * S);
    let id = a_leader(fire);
    fire.suite.kafka.node(id).process.kill();
    fire.broken();
    fire.flows(30 * S);
    fire.run_for(3 * S..8 * S);
    fire.suite.kafka.node(id).process.restart();
    fire.suite.kafka.wait_in_sync();
    fire.run_for(2 * S..4 * S);
}

/// All of them die, for longer than an outcome waits for its acknowledgement. What is sent meanwhile is refused at once, and
/// is not stored.
pub(super) fn all_killed(fire: &mut Fire) {
    fire.allow_repeats(2 * IN_FLIGHT);
    fire.run_for(2 * S..5 * S);
    let before = probe::peak(&fire.suite, "ingest");
    fire.suite.kafka.nodes.iter_mut().for_each(|node| node.process.kill());
    fire.broken();
    fire.run_for(20 * S..30 * S);
    let refused = probe::post(&fire.suite.url("ingest"), "refused");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.retry_after, "{refused:?}");
    let grown = probe::peak(&fire.suite, "ingest").saturating_sub(before);
    assert!(grown < 192, "ingest grew by {grown} MiB in the outage");
    fire.figure("MiB that ingest grew", grown);
    fire.suite.kafka.nodes.iter_mut().for_each(|node| node.process.restart());
    fire.suite.kafka.wait();
    fire.mended();
    fire.flows(30 * S);
}

/// A leader that hangs as a process does in a long pause: its connections stay open and nothing answers.
pub(super) fn leader_frozen(fire: &mut Fire) {
    fire.allow_repeats(2 * IN_FLIGHT);
    fire.run_for(2 * S..4 * S);
    let id = a_leader(fire);
    fire.suite.kafka.node(id).process.signal("STOP");
    fire.broken();
    fire.run_for(45 * S..46 * S);
    fire.suite.kafka.node(id).process.signal("CONT");
    fire.mended();
    fire.flows(30 * S);
    // Short ones, as a machine makes that is out of memory.
    for _ in 0..5 {
        fire.suite.kafka.node(id).process.signal("STOP");
        fire.run_for(S / 2..2 * S);
        fire.suite.kafka.node(id).process.signal("CONT");
        fire.run_for(S / 2..S);
    }
    fire.suite.kafka.wait_in_sync();
    fire.flows(30 * S);
}

pub(super) fn rolling_restart(fire: &mut Fire) {
    fire.allow_repeats(3 * 2 * IN_FLIGHT);
    for id in 1..=3 {
        fire.run_for(2 * S..4 * S);
        fire.suite.kafka.node(id).process.signal("TERM");
        fire.suite.kafka.node(id).process.wait(60 * S);
        fire.broken();
        fire.suite.kafka.node(id).process.restart();
        fire.suite.kafka.wait_in_sync();
        fire.flows(30 * S);
    }
}

/// Every partition of every topic gets another leader, again and again.
pub(super) fn leaders_moved(fire: &mut Fire) {
    fire.broken();
    for _ in 0..5 {
        fire.run_for(S..3 * S);
        let before = fire.suite.kafka.leader(topic::ACTIVITY, 0).unwrap();
        probe::move_leaders(fire, before);
        testkit::eventually("another one leads", || match fire.suite.kafka.leader(topic::ACTIVITY, 0) {
            Some(after) if after != before => Ok(()),
            other => Err(format!("{other:?}, and it was {before}")),
        });
    }
    fire.mended();
    fire.flows(30 * S);
}

/// Two of three stop: whatever is sent has too few replicas, and must not be acknowledged.
pub(super) fn too_few_in_sync(fire: &mut Fire) {
    fire.allow_repeats(2 * IN_FLIGHT);
    fire.run_for(2 * S..5 * S);
    let survivor = a_leader(fire);
    let others: Vec<usize> = (1..=3).filter(|&id| id != survivor).collect();
    let kills = fire.random.random_bool(0.5);
    for &id in &others {
        let process = &mut fire.suite.kafka.node(id).process;
        if kills { process.kill() } else { process.signal("STOP") }
    }
    fire.broken();
    fire.note(if kills { "killed" } else { "frozen" });
    // What was on its way may still be answered by the replicas that had it.
    fire.run_for(12 * S..13 * S);
    let before = fire.load.acknowledged();
    fire.run_for(10 * S..20 * S);
    let false_acks = fire.load.acknowledged() - before;
    assert_eq!(false_acks, 0, "acknowledged without a second replica");
    let refused = probe::post(&fire.suite.url("ingest"), "refused");
    assert_eq!(refused.status, 503, "{refused:?}");
    for &id in &others {
        let process = &mut fire.suite.kafka.node(id).process;
        if kills { process.restart() } else { process.signal("CONT") }
    }
    fire.suite.kafka.wait_in_sync();
    fire.mended();
    fire.flows(30 * S);
}
