//! Endpoints beside the usual ones: they are told of the installs that nobody earned.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event::topic;
use serde_json::Value;

use crate::fire::Fire;

/// An endpoint that a row is about.
pub(super) struct Odd<'a> {
    pub(super) id: &'a str,
    /// Scheme, host and port.
    pub(super) host: String,
    /// More lines of its entry, such as `retry = ["1s"]`.
    pub(super) more: &'a str,
}

impl<'a> Odd<'a> {
    /// One whose requests arrive at the receiver, under its id.
    pub(super) fn here(fire: &Fire, id: &'a str, more: &'a str) -> Self {
        Self { id, host: format!("http://127.0.0.1:{}", fire.receiver.port), more }
    }
}

/// Adds endpoints to the rules that are in force.
pub(super) fn add(fire: &Fire, odds: &[Odd<'_>]) {
    let path = fire.suite.folder().join("rules.toml");
    let entry = |Odd { id, host, more }: &Odd<'_>| {
        format!(
            r#"
[[endpoint]]
id = "{id}"
url = "{host}/{id}?event={{event_id}}&at={{received_at|unix_ms}}"
{more}
[[rule]]
id = "{id}-organic"
endpoint = "{id}"
topic = "installs"
media_sources = ["organic"]
"#
        )
    };
    let rules = std::fs::read_to_string(&path).unwrap() + &odds.iter().map(entry).collect::<String>();
    std::fs::write(path, rules).unwrap();
}

/// The recorded attempts of an endpoint, by delivery, in the order in which they were made.
pub(super) fn attempts(fire: &Fire, id: &str) -> BTreeMap<String, Vec<Value>> {
    let mut of: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in crate::log::read(&fire.suite.kafka.direct(), topic::POSTBACKS).unwrap() {
        let Some(attempt) = record.value.filter(|attempt| attempt["endpoint"] == id) else { continue };
        of.entry(attempt["delivery_id"].as_str().unwrap().to_owned()).or_default().push(attempt);
    }
    of
}

/// Waits until at least so many deliveries of an endpoint have come to an end; answers their attempts.
pub(super) fn concluded(fire: &mut Fire, id: &str, count: usize) -> Vec<Vec<Value>> {
    let ended = |fire: &Fire| -> Vec<Vec<Value>> {
        let is_over = |tries: &Vec<Value>| tries.last().is_some_and(|last| last["outcome"] != "retrying");
        attempts(fire, id).into_values().filter(is_over).collect()
    };
    fire.recovers(&format!("{id} is concluded"), Duration::from_secs(60), |fire| match ended(fire).len() {
        enough if enough >= count => Ok(()),
        few => Err(format!("{few} of {count}")),
    });
    fire.recoveries.pop();
    ended(fire)
}

/// Waits until so many attempts of an endpoint are recorded; answers the first of each delivery.
pub(super) fn first_attempts(fire: &mut Fire, id: &str, count: usize) -> Vec<Value> {
    fire.recovers(&format!("{id} is tried"), Duration::from_secs(60), |fire| match attempts(fire, id).len() {
        enough if enough >= count => Ok(()),
        few => Err(format!("{few} of {count}")),
    });
    fire.recoveries.pop();
    attempts(fire, id).into_values().map(|tries| tries[0].clone()).collect()
}

/// What each attempt came to, such as `retrying connect_reset`.
pub(super) fn story(tries: &[Value]) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    tries.iter().map(|attempt| format!("{} {}", word(&attempt["outcome"]), word(&attempt["class"]))).collect()
}

/// From its arrival at a door to its arrival at an endpoint: the milliseconds that 99 of 100 installs took since then.
pub(super) fn p99(fire: &Fire, id: &str, since: SystemTime) -> u64 {
    let taken = |hit: testkit::Hit| {
        let received = hit.query.split("at=").nth(1)?.split('&').next()?.parse::<u64>().ok()?;
        let arrived = u64::try_from(hit.at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
        (hit.at >= since).then(|| arrived.saturating_sub(received))
    };
    let mut all: Vec<u64> = fire.receiver.hits(id).into_iter().filter_map(taken).collect();
    assert!(all.len() > 20, "only {} requests arrived at {id}", all.len());
    all.sort_unstable();
    all[(all.len() - 1) * 99 / 100]
}

/// The moment when a row looks.
#[expect(clippy::disallowed_methods, reason = "a row asks when requests arrived")]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// The largest memory that the processes of `postbacks` have had, in MiB.
pub(super) fn peak(fire: &Fire) -> u64 {
    let of = |name: &str| fire.suite.services[name].process.peak().unwrap() >> 20;
    of("postbacks").max(of("postbacks-2"))
}

/// Starts `postbacks` anew, through the wrapper.
pub(super) fn restart(fire: &mut Fire, wrapper: &[&str]) {
    fire.suite.through("postbacks", wrapper);
    for name in ["postbacks", "postbacks-2"] {
        fire.suite.service(name).signal("TERM");
        fire.suite.service(name).wait(Duration::from_secs(60));
        fire.suite.run(name);
    }
}
