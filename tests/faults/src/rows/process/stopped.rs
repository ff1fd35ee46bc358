//! Processes that are asked to stop.

use std::process::{Command, Stdio};
use std::time::Duration;

use event::topic;
use serde_json::{Value, json};

use crate::fire::Fire;
use crate::log;

const S: Duration = Duration::from_secs(1);
const APART: &str = "ingest-3";

/// Kafka is gone and requests wait for it: the process says exactly how many events it did not send.
pub(super) fn without_kafka(fire: &mut Fire) {
    fire.run_for(S..3 * S);
    // One that the load does not know, so that what it holds is known.
    fire.suite.run(APART);
    fire.suite.kafka.node(1).process.kill();
    fire.broken();
    let batches: Vec<usize> = (0..2 + fire.pick(4)).map(|_| 1 + fire.pick(30)).collect();
    let door = format!("{}/v1/events", fire.suite.url(APART));
    let requests: Vec<_> = batches.iter().enumerate().map(|(number, &events)| post(&door, number, events)).collect();
    // Kafka's answer is awaited for 10 s.
    fire.run_for(S..3 * S);
    fire.suite.service(APART).signal("TERM");
    let status = fire.suite.service(APART).wait(40 * S);
    let said = fire.suite.service(APART).log();
    assert_eq!(status.code(), Some(75), "{said}");
    let unsent: usize = batches.iter().sum();
    assert!(said.contains(&format!("stopped with {unsent} records unsent")), "{unsent} were unsent: {said}");
    fire.figure("unsent, and reported", unsent);
    for request in requests {
        let answer = request.wait_with_output().unwrap();
        let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
        assert!(answer.ends_with("\n503"), "a request that was not stored was answered {answer:?}");
    }
    fire.suite.services.remove(APART);
    fire.suite.kafka.node(1).process.restart();
    fire.suite.kafka.wait();
    fire.mended();
    fire.flows(30 * S);
    let stored = log::read(&fire.suite.kafka.direct(), topic::ACTIVITY).unwrap();
    let is_ours = |value: &Value| value["event_id"].as_str().is_some_and(|id| id.starts_with("unsent-"));
    let found = stored.iter().filter_map(|record| record.value.as_ref()).filter(|value| is_ours(value)).count();
    assert_eq!(found, 0, "reported as unsent, and stored");
}

/// Every replica of every service is replaced, one after the other, as an upgrade does it.
pub(super) fn rolling(fire: &mut Fire) {
    fire.note("one version exists so far: each binary is replaced by itself");
    let names: Vec<String> = fire.suite.services.keys().cloned().collect();
    for name in names {
        fire.run_for(S / 2..S);
        fire.suite.service(&name).signal("TERM");
        let status = fire.suite.service(&name).wait(40 * S);
        assert_eq!(status.code(), Some(0), "{name}: {}", fire.suite.service(&name).log());
        fire.broken();
        fire.suite.service(&name).restart();
        fire.suite.ready(&name);
        fire.flows(30 * S);
    }
}

/// Ad views, in one request, whose answer is awaited elsewhere.
fn post(door: &str, number: usize, events: usize) -> std::process::Child {
    let view = |index: usize| {
        let id = format!("unsent-{number}-{index}");
        json!({ "event_id": id, "kind": "impression", "app_id": "com.example.game", "media_source": "unsent" })
    };
    let body = Value::Array((0..events).map(view).collect()).to_string();
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "60", "-w", "\n%{http_code}", "-H", "content-type: application/json"]);
    curl.args(["--data-binary", &body, door]).stdout(Stdio::piped()).spawn().unwrap()
}
