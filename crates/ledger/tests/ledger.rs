//! The ledger on a real Redis: both or neither, and nothing twice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use ledger::{Ask, Effects, Index, Ledger, Positions, Scheduled, Skip, Value};
use stream::{Balance, Bookmark, Error, Mark, Offset, Owner, Part, Partition, Sink, Standing, Work};
use testkit::Redis;

const STAGE: &str = "sample.count";
const TOPIC: &str = "numbers";

/// A private Redis in a folder of its own.
fn redis() -> (Redis, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Redis::start(folder.path().to_owned()), folder)
}

fn ledger(redis: &Redis) -> Ledger {
    Ledger::open(&redis.config(), STAGE, TOPIC).unwrap()
}

fn standing(id: i32, first: i64, committed: Option<i64>) -> Standing {
    let partition = Partition::new(TOPIC, id);
    Standing {
        partition,
        committed: committed.map(Offset),
        metadata: String::new(),
        first: Offset(first),
        end: Offset(1_000),
    }
}

fn positions(ledger: &mut Ledger, standings: &[Standing]) -> Vec<Offset> {
    ledger.resume(standings).unwrap().into_iter().map(|bookmark| bookmark.position).collect()
}

fn part(id: i32, from: i64, next: i64, output: Effects) -> Part<Effects> {
    let taken = (next - from).try_into().unwrap();
    let balance = Balance { taken, ..Balance::new(Offset(from)) };
    Part { partition: Partition::new(TOPIC, id), from: Offset(from), next: Offset(next), output, balance }
}

fn commit(ledger: &mut Ledger, parts: Vec<Part<Effects>>) -> stream::Result<()> {
    ledger.commit(Work { owner: &Owner::default(), parts })
}

fn one(key: &str, field: &str, by: i64) -> Effects {
    let mut effects = Effects::default();
    effects.add(key, field, by);
    effects
}

/// What stands in partition 0, together with its position.
fn ask(redis: &Redis, question: Ask) -> (Option<i64>, Value) {
    let mut index = Index::open(&redis.config(), STAGE, TOPIC).unwrap();
    let mut seen = index.fetch(&[0], &[question]).unwrap().remove(0);
    (seen.position.map(|position| position.0), seen.values.remove(0))
}

fn count(redis: &Redis) -> (Option<i64>, Value) {
    ask(redis, Ask::HGet("c".into(), "n".into()))
}

fn number(value: i64) -> Value {
    Value::Bytes(value.to_string().into_bytes())
}

#[test]
fn a_commit_moves_counters_and_position_together_and_a_fenced_one_changes_nothing() {
    let (redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    assert_eq!(positions(&mut ledger, &[standing(0, 0, None)]), [Offset(0)]);
    commit(&mut ledger, vec![part(0, 0, 10, one("c", "n", 3))]).unwrap();
    assert_eq!(count(&redis), (Some(10), number(3)));
    for (from, next) in [(0, 10), (9, 12), (11, 12)] {
        let fenced = commit(&mut ledger, vec![part(0, from, next, one("c", "n", 5))]).unwrap_err();
        assert!(matches!(fenced, Error::Fenced(_)), "{fenced}");
        assert_eq!(count(&redis), (Some(10), number(3)), "from {from}");
    }
    commit(&mut ledger, vec![part(0, 10, 11, one("c", "n", 1))]).unwrap();
    assert_eq!(count(&redis), (Some(11), number(4)));
}

#[test]
fn one_partition_that_is_fenced_does_not_undo_the_others() {
    let (redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    ledger.resume(&[standing(0, 0, None), standing(1, 0, None)]).unwrap();
    let parts = vec![part(0, 0, 5, one("c", "n", 1)), part(1, 3, 5, one("c", "n", 1))];
    assert!(matches!(commit(&mut ledger, parts), Err(Error::Fenced(_))));
    assert_eq!(positions(&mut ledger, &[standing(0, 0, None), standing(1, 0, None)]), [Offset(5), Offset(0)]);
}

#[test]
fn a_key_of_another_type_is_named_and_nothing_is_written() {
    let (redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    ledger.resume(&[standing(0, 0, None)]).unwrap();
    redis.command(&["SET", "{sample.count.1:numbers:0}:c", "x"]);
    let mut effects = one("other", "n", 1);
    effects.add("c", "n", 1);
    let error = commit(&mut ledger, vec![part(0, 0, 5, effects)]).unwrap_err().to_string();
    assert!(error.contains("{sample.count.1:numbers:0}:c is a string"), "{error}");
    assert_eq!(ask(&redis, Ask::HGet("other".into(), "n".into())), (Some(0), Value::None));
}

#[test]
fn an_overflow_is_marked_and_everything_else_is_counted() {
    let (redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    ledger.resume(&[standing(0, 0, None)]).unwrap();
    let mut effects = one("c", "n", i64::MAX);
    effects.add("c", "m", 1);
    commit(&mut ledger, vec![part(0, 0, 1, effects)]).unwrap();
    let mut effects = one("c", "n", 1);
    effects.add("c", "m", 1);
    commit(&mut ledger, vec![part(0, 1, 2, effects)]).unwrap();
    assert_eq!(count(&redis), (Some(2), number(i64::MAX)));
    assert_eq!(ask(&redis, Ask::HGet("c".into(), "m".into())).1, number(2));
    assert_eq!(ask(&redis, Ask::HGet("c".into(), "overflow\u{1f}n".into())).1, number(1));
}

#[test]
fn a_store_that_was_emptied_is_rebuilt_and_says_so_until_it_caught_up() {
    let (redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    assert_eq!(positions(&mut ledger, &[standing(0, 4, Some(20))]), [Offset(4)]);
    let look = || {
        let mut index = Index::open(&redis.config(), STAGE, TOPIC).unwrap();
        let seen = index.fetch(&[0], &[]).unwrap().remove(0);
        (seen.position, seen.rebuilding_until, seen.incomplete_from)
    };
    assert_eq!(look(), (Some(Offset(4)), Some(Offset(20)), Some(Offset(4))));
    commit(&mut ledger, vec![part(0, 4, 20, Effects::default())]).unwrap();
    assert_eq!(look(), (Some(Offset(20)), None, Some(Offset(4))));
    assert_eq!(positions(&mut ledger, &[standing(0, 4, Some(20))]), [Offset(20)], "what is stored wins");
}

#[test]
fn a_position_that_moved_behind_our_back_is_noticed_without_a_commit() {
    let (redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    ledger.resume(&[standing(0, 0, None)]).unwrap();
    let at = |offset| [(Partition::new(TOPIC, 0), Offset(offset))];
    ledger.check(&[]).unwrap();
    ledger.check(&at(0)).unwrap();
    assert!(matches!(ledger.check(&at(7)), Err(Error::Fenced(_))));
    redis.command(&["FLUSHALL"]);
    assert!(matches!(ledger.check(&at(0)), Err(Error::Fenced(_))));
}

#[test]
fn a_partition_that_readers_would_not_find_is_noticed_and_named_again() {
    let (redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    ledger.resume(&[standing(0, 0, None), standing(1, 0, None)]).unwrap();
    let at = [(Partition::new(TOPIC, 0), Offset(0)), (Partition::new(TOPIC, 1), Offset(0))];
    ledger.check(&at).unwrap();
    redis.command(&["SREM", "{sample.count.1:numbers}:partitions", "1"]);
    let fenced = ledger.check(&at).unwrap_err();
    assert!(matches!(fenced, Error::Fenced(_)) && fenced.to_string().contains("numbers/1"), "{fenced}");
    ledger.resume(&[standing(0, 0, None), standing(1, 0, None)]).unwrap();
    ledger.check(&at).unwrap();
}

#[test]
fn every_effect_does_what_it_says() {
    let (redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    ledger.resume(&[standing(0, 0, None)]).unwrap();
    let far = 4_000_000_000;
    for (from, time) in [(0, 9), (1, 5)] {
        let mut effects = Effects::default();
        effects.add_once(("seen", "event-1"), "c", "n", 2);
        effects.expire_after("seen", std::time::Duration::from_secs(500));
        effects.put("h", "latest", time.to_string().as_bytes());
        effects.put_first("h", "first", time.to_string().as_bytes());
        effects.raise("h", "greatest", time);
        effects.set_first("v", time.to_string().as_bytes());
        effects.insert("s", b"member");
        effects.expire("s", far + from);
        effects.rank("z", format!("at-{time}").as_bytes(), time);
        commit(&mut ledger, vec![part(0, from, from + 1, effects)]).unwrap();
    }
    assert_eq!(count(&redis).1, number(2), "once is once");
    for (field, value) in [("latest", 5), ("first", 9), ("greatest", 9)] {
        assert_eq!(ask(&redis, Ask::HGet("h".into(), field.into())).1, number(value), "{field}");
    }
    assert_eq!(ask(&redis, Ask::Get("v".into())).1, number(9));
    assert_eq!(ask(&redis, Ask::Members("s".into())).1, Value::Members(vec![b"member".to_vec()]));
    assert_eq!(ask(&redis, Ask::ZRange("z".into())).1, Value::Members(vec![b"at-5".to_vec(), b"at-9".to_vec()]));
    assert_eq!(redis.command(&["EXPIRETIME", "{sample.count.1:numbers:0}:s"]), (far + 1).to_string());
    let left: i64 = redis.command(&["TTL", "{sample.count.1:numbers:0}:seen"]).parse().unwrap();
    assert!((400..=500).contains(&left), "{left}");
}

#[test]
fn a_restarted_redis_is_asked_again_where_things_stand() {
    let (mut redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    ledger.resume(&[standing(0, 0, None)]).unwrap();
    commit(&mut ledger, vec![part(0, 0, 10, one("c", "n", 3))]).unwrap();
    // With appendfsync everysec a slow disk delays the write too; a kill of the process loses what is not yet written.
    testkit::eventually("it is in the file", || {
        let state = redis.command(&["INFO", "persistence"]);
        if state.contains("aof_buffer_length:0") { Ok(()) } else { Err(state) }
    });
    redis.process.kill();
    assert!(matches!(commit(&mut ledger, vec![part(0, 10, 11, one("c", "n", 1))]), Err(Error::Transient(_))));
    redis.process.restart();
    redis.wait();
    let stands =
        testkit::eventually("redis has loaded", || ledger.resume(&[standing(0, 0, None)]).map_err(|e| e.to_string()));
    assert_eq!(stands[0].position, Offset(10));
    commit(&mut ledger, vec![part(0, 10, 11, one("c", "n", 1))]).unwrap();
    assert_eq!(count(&redis), (Some(11), number(4)));
}

#[test]
fn a_redis_that_may_evict_is_refused() {
    let (redis, _folder) = redis();
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let Err(Error::Fatal { exit_code: 78, cause }) = Ledger::open(&redis.config(), STAGE, TOPIC) else {
        panic!("it was accepted")
    };
    assert!(cause.to_string().contains("maxmemory-policy allkeys-lru"), "{cause}");
}

/// The balance of partition 0.
fn balance(redis: &Redis) -> Option<Balance> {
    ask(redis, Ask::balance()).1.balance()
}

#[test]
fn a_balance_moves_with_the_position_and_a_fenced_part_changes_none() {
    let (redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    ledger.resume(&[standing(0, 4, None)]).unwrap();
    assert_eq!(balance(&redis), None);
    let part = |from, next| {
        let mut part = part(0, from, next, one("c", "n", 1));
        part.output.add_once(("seen", "event-1"), "c", "n", 1);
        part.output.schedule(Scheduled { id: "delivery-1", endpoint: "acme", due_ms: 7, body: b"x" });
        part.balance.refused = 1;
        part.balance.repeated = 1;
        part.balance.last = Some(Mark { offset: Offset(next - 1), appended_at: 1_000 + next });
        part
    };
    commit(&mut ledger, vec![part(4, 10)]).unwrap();
    let mark = |offset, appended_at| Some(Mark { offset: Offset(offset), appended_at });
    let bookmark = |position, last| Bookmark { position: Offset(position), last };
    assert_eq!(ledger.resume(&[standing(0, 4, None)]).unwrap(), [bookmark(10, mark(9, 1_010))]);
    let after_one = Balance { since: Offset(4), taken: 6, refused: 1, repeated: 1, out: 1, last: mark(9, 1_010) };
    assert_eq!(balance(&redis), Some(after_one));
    for from in [4, 9, 11] {
        assert!(matches!(commit(&mut ledger, vec![part(from, 12)]), Err(Error::Fenced(_))));
        assert_eq!(balance(&redis), Some(after_one), "from {from}");
    }
    // The event was counted and the delivery scheduled before: both are dropped as repeated.
    commit(&mut ledger, vec![part(10, 13)]).unwrap();
    let after_two = Balance { taken: 9, refused: 2, repeated: 4, last: mark(12, 1_013), ..after_one };
    assert_eq!(balance(&redis), Some(after_two));
    commit(&mut ledger, vec![self::part(0, 13, 15, Effects::default())]).unwrap();
    assert_eq!(balance(&redis).unwrap().taken, 11, "a part without effects counts as well");
    assert_eq!(ledger.resume(&[standing(0, 4, None)]).unwrap(), [bookmark(15, mark(12, 1_013))]);

    let mut positions = Positions::open(&redis.config(), STAGE, TOPIC).unwrap();
    positions.skip(0, &Skip { from: Offset(15), to: Offset(20), note: "by hand".into() }).unwrap();
    assert_eq!(balance(&redis), None, "what was skipped belongs to no balance");
    assert_eq!(ledger.resume(&[standing(0, 4, None)]).unwrap(), [bookmark(20, None)], "nor does it mark the log");
    commit(&mut ledger, vec![self::part(0, 20, 21, Effects::default())]).unwrap();
    assert_eq!(balance(&redis), Some(Balance { taken: 1, ..Balance::new(Offset(20)) }));

    redis.command(&["FLUSHALL"]);
    ledger.resume(&[standing(0, 5, Some(15))]).unwrap();
    commit(&mut ledger, vec![part(5, 6)]).unwrap();
    let rebuilt = Balance { since: Offset(5), taken: 1, refused: 1, repeated: 1, out: 1, last: mark(5, 1_006) };
    assert_eq!(balance(&redis).unwrap(), rebuilt);
}

#[test]
fn a_balance_of_another_type_halts_and_one_that_is_no_number_never_tears_a_commit() {
    let (redis, _folder) = redis();
    let mut ledger = ledger(&redis);
    ledger.resume(&[standing(0, 0, None)]).unwrap();
    let key = "{sample.count.1:numbers:0}:balance";
    redis.command(&["SET", key, "x"]);
    let error = commit(&mut ledger, vec![part(0, 0, 5, one("c", "n", 1))]).unwrap_err();
    assert!(error.to_string().contains(key), "{error}");
    assert_eq!(count(&redis), (Some(0), Value::None));
    redis.command(&["DEL", key]);
    redis.command(&["HSET", key, "taken", "x"]);
    commit(&mut ledger, vec![part(0, 0, 5, one("c", "n", 1))]).unwrap();
    assert_eq!(count(&redis), (Some(5), number(1)));
}
