//! The scripts. Redis has no rollback: whatever can fail is checked before the first write.

use std::sync::LazyLock;

use redis::{Cmd, Script};

/// Applies a part. KEYS: position, then each key, and the balance last. ARGV: from, next, taken, refused, repeated, the last
/// record and when it was appended or '', then for each key: type, expiry (a second, '+' and seconds from now, or ''), number
/// of operations, and each operation as three words.
pub(crate) static APPLY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("apply.lua")));

/// Answers where a partition resumes, whether its store was lost, and the last record that was taken in; starts it where
/// nothing is stored. KEYS: position, rebuilding_until, incomplete_from, balance. ARGV: the first offset in Kafka, the witness
/// or ''.
pub(crate) static RESUME: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local stored = redis.call('GET', KEYS[1])
if stored then
  local last = redis.pcall('HMGET', KEYS[4], 'last', 'appended_at')
  return {tonumber(stored), 0, tonumber(last[1] or '') or false, tonumber(last[2] or '') or false}
end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[1] ~= '0' then redis.call('SET', KEYS[3], ARGV[1]) end
if ARGV[2] == '' then return {tonumber(ARGV[1]), 0, false, false} end
redis.call('SET', KEYS[2], ARGV[2])
return {tonumber(ARGV[1]), 1, false, false}
",
    )
});

/// Reads keys together with the position they belong to. KEYS: position, rebuilding_until, incomplete_from, then each key.
/// ARGV: for each key a command and an argument.
pub(crate) static READ: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local answer = {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3])}
for k = 4, #KEYS do
  local command, argument = ARGV[2 * k - 7], ARGV[2 * k - 6]
  if command == 'HGET' then answer[k] = redis.call('HGET', KEYS[k], argument)
  elseif command == 'ZRANGE' then answer[k] = redis.call('ZRANGE', KEYS[k], 0, -1)
  else answer[k] = redis.call(command, KEYS[k]) end
end
return answer
",
    )
});

/// Moves a position by hand: from here on the outputs are known to be incomplete, and the balance begins anew.
/// KEYS: position, incomplete_from, skips, balance.
/// ARGV: from, to, note.
pub(crate) static SKIP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local stored = redis.call('GET', KEYS[1])
if stored ~= ARGV[1] then return stored and tonumber(stored) end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[2])
redis.call('RPUSH', KEYS[3], ARGV[3])
redis.call('DEL', KEYS[4])
return tonumber(stored)
",
    )
});

/// Takes what is due. KEYS: the schedule. ARGV: now, end of the lease, how many, prefix of a delivery's key.
///
/// What has no body is taken off the schedule. `EXISTS` names both keys because a cluster refuses that while the slot is
/// moving: the delivery may then be still at the other node.
pub(crate) static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local claimed = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])) do
  local delivery = ARGV[4] .. id
  local body = redis.call('HGET', delivery, 'body')
  local due = redis.call('ZSCORE', KEYS[1], id)
  if body then
    redis.call('ZADD', KEYS[1], ARGV[2], id)
    local attempt = redis.call('HINCRBY', delivery, 'attempt', 1)
    local recorded = tonumber(redis.call('HGET', delivery, 'recorded') or 0)
    local gap = redis.call('HEXISTS', delivery, 'gap')
    claimed[#claimed + 1] = {id, attempt, recorded, gap, tonumber(due), body}
  elseif redis.call('EXISTS', KEYS[1], delivery) == 1 then
    redis.call('ZREM', KEYS[1], id)
  end
end
return claimed
",
    )
});

/// Removes a delivery. KEYS: the schedule, the delivery, the set of endpoints. ARGV: id, endpoint.
pub(crate) static FINISH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SREM', KEYS[3], ARGV[2]) end
return 1
",
    )
});

/// Undoes a claim, unless a later one holds the delivery. KEYS: the schedule, the delivery. ARGV: id, attempt, due.
pub(crate) static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('HGET', KEYS[2], 'attempt') ~= ARGV[2] then return 0 end
redis.call('HINCRBY', KEYS[2], 'attempt', -1)
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
",
    )
});

/// Records an attempt and moves the due time, unless a later claim holds the delivery. KEYS: the schedule, the delivery.
/// ARGV: id, attempt, due, whether an attempt before it has no recorded outcome.
pub(crate) static RETRY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('HGET', KEYS[2], 'attempt') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], 'recorded', ARGV[2])
if ARGV[4] == '1' then redis.call('HSET', KEYS[2], 'gap', 1) end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
",
    )
});

/// What every new connection loads: scripts are called by hash, and a pipeline cannot load one and repeat itself.
pub(crate) fn all() -> [&'static Script; 8] {
    [&APPLY, &RESUME, &READ, &SKIP, &CLAIM, &FINISH, &GIVE_BACK, &RETRY]
}

/// A call by hash.
pub(crate) fn call(script: &Script, keys: usize) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(keys);
    command
}
