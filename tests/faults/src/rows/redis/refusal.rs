//! Redis answers, and refuses.

use std::process::Command;
use std::time::Duration;

use rand::Rng as _;

use super::state::positions;
use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);

pub(super) fn read_only(fire: &mut Fire) {
    for _ in 0..2 {
        fire.run_for(2 * S..3 * S);
        fire.suite.redis.fall_behind();
        fire.broken();
        fire.run_for(3 * S..6 * S);
        fire.suite.redis.must(&["REPLICAOF", "NO", "ONE"]);
        fire.mended();
        fire.flows(30 * S);
    }
}

/// Less memory than is used: every write is refused whole, and the services wait.
pub(super) fn out_of_memory(fire: &mut Fire) {
    fire.run_for(3 * S..5 * S);
    fire.suite.redis.must(&["CONFIG", "SET", "maxmemory", "1mb"]);
    fire.broken();
    fire.run_for(2 * S..3 * S);
    let stood = positions(&fire.suite.redis);
    fire.run_for(3 * S..6 * S);
    assert_eq!(positions(&fire.suite.redis), stood, "positions moved although every write is refused");
    for name in ["reports", "postbacks", "attribution"] {
        let says = fire.suite.troubles(name);
        assert!(
            says.contains("OOM") || says.contains("maxmemory") || says.contains("remember"),
            "{name} says {says:?}"
        );
    }
    fire.suite.redis.must(&["CONFIG", "SET", "maxmemory", "0"]);
    fire.mended();
    fire.flows(30 * S);
}

/// A Redis that may evict: who starts refuses it, and who runs says so.
pub(super) fn may_evict(fire: &mut Fire) {
    fire.run_for(2 * S..3 * S);
    fire.suite.redis.must(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    fire.broken();
    fire.suite.launch("reports-3");
    let status = fire.suite.service("reports-3").wait(20 * S);
    let log = fire.suite.service("reports-3").log();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.contains("maxmemory-policy allkeys-lru"), "{log}");
    fire.suite.services.remove("reports-3");
    fire.recovers("who runs says so", 15 * S, |fire| {
        let says = fire.suite.troubles("reports");
        if says.contains("maxmemory-policy") { Ok(()) } else { Err(format!("reports says {says:?}")) }
    });
    fire.suite.redis.must(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    fire.mended();
    fire.flows(30 * S);
}

/// Scripts are forgotten, and then one runs for seconds while Redis answers `BUSY`.
pub(super) fn busy(fire: &mut Fire) {
    fire.run_for(2 * S..3 * S);
    fire.broken();
    for _ in 0..5 {
        fire.suite.redis.must(&["SCRIPT", "FLUSH"]);
        fire.flows(30 * S);
    }
    fire.suite.redis.must(&["CONFIG", "SET", "busy-reply-threshold", "200"]);
    let seconds = fire.random.random_range(4..8);
    let script = "local function now() return tonumber(redis.call('TIME')[1]) end \
                  local start = now() while now() - start < tonumber(ARGV[1]) do end return 1";
    let mut eval = Command::new("redis-cli");
    eval.args(["-p", &fire.suite.redis.port.to_string(), "EVAL", script, "0", &seconds.to_string()]);
    fire.broken();
    let answer = eval.output().unwrap();
    assert!(answer.stdout.starts_with(b"1"), "{answer:?}");
    fire.mended();
    fire.flows(30 * S);
}

/// The user that the services log in as is switched off, and its connections are cut.
pub(super) fn locked_out(fire: &mut Fire) {
    fire.run_for(2 * S..3 * S);
    let redis = &fire.suite.redis;
    redis.must(&["ACL", "SETUSER", "operator", "on", ">secret", "~*", "&*", "+@all"]);
    let operator = ["--user", "operator", "--pass", "secret", "--no-auth-warning"];
    redis.must(&[&operator[..], &["ACL", "SETUSER", "default", "off"]].concat());
    redis.command(&[&operator[..], &["CLIENT", "KILL", "USER", "default"]].concat());
    fire.broken();
    fire.run_for(4 * S..8 * S);
    for name in ["reports", "postbacks", "attribution"] {
        let says = fire.suite.troubles(name);
        assert!(!says.is_empty(), "{name} says that it is ready");
    }
    fire.suite.redis.must(&[&operator[..], &["ACL", "SETUSER", "default", "on"]].concat());
    fire.mended();
    fire.flows(30 * S);
}

/// Somebody else's value stands where a counter belongs: that partition stops and names it, the others go on.
pub(super) fn wrong_type(fire: &mut Fire) {
    fire.run_for(3 * S..5 * S);
    let partition = fire.random.random_range(0..4);
    let tag = format!("{{reports.installs.1:installs:{partition}}}:");
    let (position, aside) = (format!("{tag}position"), format!("{tag}aside"));
    let keys = fire.suite.redis.command(&["KEYS", &format!("{tag}c:*")]);
    let is_counter = |key: &&str| fire.suite.redis.command(&["TYPE", key]) == "hash";
    let key = keys.lines().find(is_counter).unwrap_or_else(|| panic!("no counters: {keys:?}")).to_owned();
    let plant = "redis.call('RENAME', KEYS[1], KEYS[2]) redis.call('SET', KEYS[1], 'somebody else') return 1";
    assert_eq!(fire.suite.redis.command(&["EVAL", plant, "2", &key, &aside]), "1");
    fire.broken();
    fire.recovers("the partition stands still and the key is named", 30 * S, |fire| {
        let says: Vec<String> = ["reports", "reports-2"].iter().map(|name| fire.suite.troubles(name)).collect();
        let is_named = says.iter().any(|says| says.contains("wrong_type") && says.contains(&key));
        if is_named { Ok(()) } else { Err(format!("{says:?}")) }
    });
    let others = |fire: &Fire| {
        let mut positions = positions(&fire.suite.redis);
        let stands = positions.remove(&position);
        positions.retain(|key, _| key.starts_with("{reports.installs.1:installs:"));
        (stands, positions.into_values().sum::<i64>())
    };
    let (stood, before) = others(fire);
    fire.run_for(3 * S..5 * S);
    let (stands, after) = others(fire);
    assert_eq!(stands, stood, "the partition moved");
    assert!(after > before, "the others stand still too: {before}, {after}");
    fire.suite.redis.must(&["RENAME", &aside, &key]);
    fire.mended();
    fire.flows(30 * S);
}
