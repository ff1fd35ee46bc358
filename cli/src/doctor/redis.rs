//! Redis: does it keep what it was given?

use ledger::{Facts, Redis, inspect};

use crate::doctor::finding::Finding;

pub(crate) fn examine(redis: &Redis) -> Vec<Finding> {
    match inspect(redis) {
        Ok(servers) => {
            let one = servers.len() == 1;
            let name = |facts: &Facts| if one { "redis".to_owned() } else { format!("redis {}", facts.address) };
            servers.iter().flat_map(|facts| judge(&name(facts), facts)).collect()
        }
        Err(error) => vec![Finding::danger("redis", error.to_string(), "start it, or name it with --redis")],
    }
}

const OLDEST_MAJOR: u32 = 7;

/// What `name`, one server, makes of the promises.
fn judge(name: &str, facts: &Facts) -> Vec<Finding> {
    let major = facts.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let version = match major {
        Some(major) if major >= OLDEST_MAJOR => Finding::ok(name, format!("version {}", facts.version)),
        _ => Finding::danger(name, format!("version {}", facts.version), "use Redis 7 or newer, or Valkey"),
    };
    let policy = if facts.maxmemory_policy == "noeviction" {
        Finding::ok(format!("{name} maxmemory-policy"), "noeviction")
    } else {
        let advice = "counters may be evicted: redis-cli config set maxmemory-policy noeviction";
        Finding::danger(format!("{name} maxmemory-policy"), &facts.maxmemory_policy, advice)
    };
    let append_only = if facts.append_only {
        Finding::ok(format!("{name} appendonly"), "yes")
    } else {
        let advice = "a restart empties it, and every count is rebuilt from Kafka: use deploy/redis.conf";
        Finding::danger(format!("{name} appendonly"), "no", advice)
    };
    let truncated = match facts.loads_truncated {
        Some(false) => Finding::ok(format!("{name} aof-load-truncated"), "no"),
        Some(true) => {
            let advice = "a torn file may be applied in half: use deploy/redis.conf and deploy/redis-entrypoint.sh";
            Finding::danger(format!("{name} aof-load-truncated"), "yes", advice)
        }
        None => Finding::notice(
            format!("{name} aof-load-truncated"),
            "the server does not say",
            "ask whoever runs it: it must be no",
        ),
    };
    vec![version, policy, append_only, truncated]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn only_a_redis_that_keeps_everything_is_well() {
        let well = Facts {
            address: "cache:6379".into(),
            version: "7.0.15".into(),
            maxmemory_policy: "noeviction".into(),
            append_only: true,
            loads_truncated: Some(false),
            in_cluster: false,
        };
        assert!(judge("redis", &well).iter().all(|finding| finding.verdict == Verdict::Ok));
        for (facts, place) in [
            (Facts { version: "6.2.1".into(), ..well.clone() }, "redis"),
            (Facts { maxmemory_policy: "allkeys-lru".into(), ..well.clone() }, "redis maxmemory-policy"),
            (Facts { append_only: false, ..well.clone() }, "redis appendonly"),
            (Facts { loads_truncated: Some(true), ..well.clone() }, "redis aof-load-truncated"),
        ] {
            let bad: Vec<_> =
                judge("redis", &facts).into_iter().filter(|finding| finding.verdict == Verdict::Danger).collect();
            assert_eq!(bad.iter().map(|finding| finding.place.as_str()).collect::<Vec<_>>(), [place]);
        }
    }
}
