//! Endpoints that refuse, redirect, lose answers, ask for time, or are gone.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use testkit::Answer;

use super::odd::{Odd, add, attempts, concluded, first_attempts, story};
use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);

/// When the attempts of each delivery arrived.
fn arrivals(fire: &Fire, id: &str) -> BTreeMap<String, Vec<SystemTime>> {
    let mut of: BTreeMap<String, Vec<SystemTime>> = BTreeMap::new();
    for hit in fire.receiver.hits(id) {
        of.entry(hit.headers["webhook-id"].clone()).or_default().push(hit.at);
    }
    of
}

fn delivery(tries: &[Value]) -> &str {
    tries[0]["delivery_id"].as_str().unwrap()
}

pub(super) fn redirects(fire: &mut Fire) {
    let to = |location: String| [Answer::With(302, "Location", location)];
    fire.receiver.script("loops", to(format!("http://127.0.0.1:{}/loops", fire.receiver.port)));
    fire.receiver.script("inside", to(format!("http://127.0.0.1:{}/secret", fire.receiver.port)));
    fire.receiver.script("metadata", to("http://169.254.169.254/latest/meta-data/".to_owned()));
    let ids = ["loops", "inside", "metadata"];
    add(fire, &ids.map(|id| Odd::here(fire, id, "")));
    for id in ids {
        for tries in concluded(fire, id, 10) {
            assert_eq!(story(&tries), ["failed http_3xx"], "{tries:?}");
        }
        assert!(arrivals(fire, id).values().all(|hits| hits.len() == 1), "{id} was asked again");
    }
    assert_eq!(fire.receiver.hits("secret").len(), 0, "a redirect was followed");
}

pub(super) fn fails_then_works(fire: &mut Fire) {
    fire.receiver.script_each("limps", [Answer::Status(500), Answer::Status(500), Answer::Status(200)]);
    add(fire, &[Odd::here(fire, "limps", "retry = [\"1s\", \"2s\"]")]);
    let all = concluded(fire, "limps", 30);
    let arrivals = arrivals(fire, "limps");
    let (mut error, wanted) = (0.0_f64, [1.0, 2.0]);
    for tries in &all {
        assert_eq!(story(tries), ["retrying http_5xx", "retrying http_5xx", "delivered none"]);
        let at = &arrivals[delivery(tries)];
        assert_eq!(at.len(), 3, "{tries:?}");
        for (pair, wanted) in at.windows(2).zip(wanted) {
            let waited = pair[1].duration_since(pair[0]).unwrap().as_secs_f64();
            assert!(waited >= wanted * 0.9 - 0.05, "it came {waited} s later, not {wanted}");
            error = error.max(waited - wanted);
        }
    }
    fire.figure("latest retry, s beyond its time", format!("{error:.1}"));
}

/// The work is done at the other side, and nobody here knows: it is asked once more, under the same id.
pub(super) fn lost(fire: &mut Fire) {
    fire.receiver.script_each("forgets", [Answer::Close, Answer::Status(200)]);
    add(fire, &[Odd::here(fire, "forgets", "retry = [\"1s\"]")]);
    let all = concluded(fire, "forgets", 30);
    let arrivals = arrivals(fire, "forgets");
    for tries in &all {
        assert_eq!(story(tries), ["retrying connect_reset", "delivered none"]);
        assert_eq!(arrivals[delivery(tries)].len(), 2, "{tries:?}");
    }
    fire.figure("asked twice under one id", all.len());
}

pub(super) fn asks_for_time(fire: &mut Fire) {
    const DAY: i64 = 86_400;
    // Seconds from the answer to the next attempt: at least, at most.
    let asked = [
        ("minutes", "120", 119, 122),
        ("infinite", "inf", 4, 6),
        ("float", "1e20", 4, 6),
        ("ages", "99999999999999999999999", DAY - 2, DAY + 2),
        ("far", "Fri, 31 Dec 9999 23:59:59 GMT", DAY - 2, DAY + 2),
        ("past", "Sun, 06 Nov 1994 08:49:37 GMT", 4, 6),
    ];
    for (id, value, ..) in asked {
        fire.receiver.script_each(id, [Answer::With(429, "Retry-After", value.to_owned()), Answer::Status(200)]);
    }
    add(fire, &asked.map(|(id, ..)| Odd::here(fire, id, "")));
    for (id, value, least, most) in asked {
        let first = first_attempts(fire, id, 5);
        let arrivals = arrivals(fire, id);
        for attempt in first {
            let next: event::Time = serde_json::from_value(attempt["next_attempt_at"].clone()).unwrap();
            let arrived = arrivals[attempt["delivery_id"].as_str().unwrap()][0].duration_since(UNIX_EPOCH).unwrap();
            let wait = next.millis() / 1_000 - i64::try_from(arrived.as_secs()).unwrap();
            assert!((least..=most).contains(&wait), "{value}: the next attempt is {wait} s later");
        }
    }
    for name in ["postbacks", "postbacks-2"] {
        assert!(!fire.suite.service(name).log().contains("panic"), "{name} panicked");
    }
}

/// Each replica hears it once; what waits stays until the rules are loaded again.
pub(super) fn gone(fire: &mut Fire) {
    fire.receiver.answer("gone", 410);
    add(fire, &[Odd::here(fire, "gone", "concurrency = 1")]);
    first_attempts(fire, "gone", 1);
    fire.run_for(4 * S..5 * S);
    let hits = fire.receiver.hits("gone").len();
    fire.run_for(6 * S..8 * S);
    assert_eq!(fire.receiver.hits("gone").len(), hits, "it was asked again");
    assert!(hits <= 4, "{hits} requests");
    for tries in attempts(fire, "gone").values() {
        assert_eq!(story(tries), ["failed endpoint_disabled"]);
    }
    fire.figure("requests until it was left alone", hits);
    fire.receiver.answer("gone", 200);
    add(fire, &[]);
    fire.recovers("what waited is told when the rules are loaded again", 30 * S, |fire| {
        let told = fire.receiver.hits("gone").len();
        if told > hits + 20 { Ok(()) } else { Err(format!("{told} requests")) }
    });
}
