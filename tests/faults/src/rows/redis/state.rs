//! What stands in Redis, and what `reports` says of it.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::Redis;

use crate::fire::Fire;

/// Where every ledger stands: the key of each position, and the position.
pub(super) fn positions(redis: &Redis) -> BTreeMap<String, i64> {
    let script = "local all = {} \
                  for _, key in ipairs(redis.call('KEYS', '*:position')) do \
                  all[#all + 1] = key .. ' ' .. redis.call('GET', key) end return all";
    let answer = redis.command(&["EVAL", script, "0"]);
    let position = |line: &str| {
        let (key, position) = line.rsplit_once(' ')?;
        Some((key.to_owned(), position.parse().ok()?))
    };
    answer.lines().filter_map(position).collect()
}

/// How many deliveries are pending.
pub(super) fn pending(redis: &Redis) -> u64 {
    let script = "local sum = 0 \
                  for _, key in ipairs(redis.call('KEYS', '{postbacks.*:due:*')) do \
                  sum = sum + redis.call('ZCARD', key) end return sum";
    redis.command(&["EVAL", script, "0"]).parse().unwrap()
}

/// What `reports` answers of today, which is all that a load sends.
pub(super) struct Answer {
    pub(super) installs: u64,
    /// It says itself that it is not whole.
    pub(super) is_flagged: bool,
}

/// Asks `reports`; none where it does not answer with numbers.
pub(super) fn ask(fire: &Fire) -> Option<Answer> {
    let answer = fire.suite.try_ask("reports", "/v1/stats?granularity=total")?;
    let mut partitions = answer["as_of"].as_object()?.values().filter_map(Value::as_object).flat_map(|of| of.values());
    let is_flagged = partitions.any(|partition| partition.get("rebuilding").is_some());
    Some(Answer { installs: answer["totals"]["installs"].as_u64()?, is_flagged })
}
