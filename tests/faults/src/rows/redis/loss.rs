//! Redis dies, and comes back with less than it had.

use std::time::Duration;

use rand::Rng as _;
use testkit::Redis;

use super::state::positions;
use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);

pub(super) fn killed(fire: &mut Fire) {
    for _ in 0..4 {
        fire.run_for(S..3 * S);
        fire.suite.redis.process.kill();
        fire.broken();
        start_again(fire);
    }
}

/// The file is cut in the middle of a write, and what Redis makes of it must stand a second start.
pub(super) fn torn_twice(fire: &mut Fire) {
    let mut cut = 0;
    for _ in 0..2 {
        fire.run_for(2 * S..4 * S);
        fire.suite.redis.process.kill();
        fire.broken();
        let bytes = fire.random.random_range(1..=4_096);
        cut += fire.suite.redis.tear(bytes);
        start_again(fire);
        fire.run_for(S / 2..S);
        fire.suite.redis.process.kill();
        fire.broken();
        start_again(fire);
    }
    fire.figure("bytes cut", cut);
}

fn start_again(fire: &mut Fire) {
    fire.suite.redis.process.restart();
    fire.suite.redis.wait();
    fire.flows(30 * S);
}

pub(super) fn failed_over(fire: &mut Fire) {
    fire.run_for(2 * S..3 * S);
    let replica = fire.suite.redis.replica();
    fire.run_for(S..2 * S);
    replica.fall_behind();
    fire.run_for(S / 2..3 * S / 2);
    let rewound: i64 = fail_over(fire, replica).iter().map(|(_, had, has)| had - has).sum();
    fire.flows(30 * S);
    fire.figure("records rewound", rewound);
}

/// Nothing more is ever written to the topics: only who looks notices that Redis went back.
pub(super) fn failed_over_idle(fire: &mut Fire) {
    fire.run_for(3 * S..4 * S);
    let replica = fire.suite.redis.replica();
    fire.run_for(S..2 * S);
    replica.fall_behind();
    fire.run_for(S..2 * S);
    fire.quiet();
    let rewound = fail_over(fire, replica);
    fire.recovers("every position is where it was", 10 * S, |fire| {
        let has = positions(&fire.suite.redis);
        let behind: Vec<_> = rewound.iter().filter(|(key, had, _)| has.get(key) != Some(had)).collect();
        if behind.is_empty() { Ok(()) } else { Err(format!("{behind:?}")) }
    });
    fire.figure("positions that went back", rewound.len());
}

/// The primary dies, and the replica takes its place; answers each position that went back, with what it was and is.
fn fail_over(fire: &mut Fire, mut replica: Redis) -> Vec<(String, i64, i64)> {
    let had = positions(&fire.suite.redis);
    fire.suite.redis.process.kill();
    fire.broken();
    let has = positions(&replica);
    replica.take_over(&fire.suite.redis);
    fire.suite.redis = replica;
    let of = |key: &String| has.get(key).copied().unwrap_or_default();
    let went_back: Vec<_> =
        had.into_iter().map(|(key, had)| (of(&key), key, had)).filter(|(has, _, had)| has < had).collect();
    assert!(!went_back.is_empty(), "the replica had everything");
    went_back.into_iter().map(|(has, key, had)| (key, had, has)).collect()
}
