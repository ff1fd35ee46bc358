//! What the fault rows do to Redis does what they say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use testkit::Redis;

/// Both keys are set by one script, so in the append-only file they are one transaction.
const BOTH: &str = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[1]) return 1";

fn set_both(redis: &Redis, value: &str) {
    assert_eq!(redis.command(&["EVAL", BOTH, "2", "a", "b", value]), "1");
}

fn both(redis: &Redis) -> [String; 2] {
    ["a", "b"].map(|key| redis.command(&["GET", key]))
}

#[test]
fn a_torn_tail_takes_whole_transactions_at_every_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut redis = Redis::start(folder.path().to_owned());
    for value in ["1", "2", "3"] {
        set_both(&redis, value);
    }
    redis.process.kill();
    assert_eq!(redis.tear(50), 50);
    for _ in 0..2 {
        redis.process.restart();
        redis.wait();
        assert_eq!(both(&redis), ["2", "2"]);
        redis.process.kill();
    }
    redis.tear(u64::MAX);
    redis.process.restart();
    redis.wait();
    assert_eq!(both(&redis), ["", ""]);
}

#[test]
fn a_replica_that_fell_behind_takes_the_place_of_the_primary() {
    let folder = tempfile::tempdir().unwrap();
    let mut primary = Redis::start(folder.path().to_owned());
    set_both(&primary, "1");
    let mut replica = primary.replica();
    replica.fall_behind();
    set_both(&primary, "2");
    primary.process.kill();
    replica.take_over(&primary);
    assert_eq!((replica.port, both(&replica)), (primary.port, ["1", "1"].map(str::to_owned)));
    set_both(&replica, "3");
    assert_eq!(both(&replica), ["3", "3"]);
}
