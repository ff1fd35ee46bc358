//! Requests beside the load, and looks at the services.

use std::process::{Command, Stdio};

use event::topic;
use serde_json::{Value, json};
use testkit::Suite;

use crate::fire::Fire;

/// What a door answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: bool,
    pub(super) body: String,
}

/// An ad view of a network that the load does not know. Without a device, all of them share a partition.
pub(super) fn touch(id: &str) -> Value {
    json!({ "event_id": id, "kind": "impression", "app_id": "com.example.game", "media_source": "probe" })
}

/// About a mebibyte of them that no compression makes much smaller, for whoever floods a door.
pub(super) fn bulk(number: usize) -> Vec<Value> {
    let fat = |index: usize| {
        let mut touch = touch(&format!("bulk-{number}-{index}"));
        touch["extra"] = json!({ "noise": noise(9_000) });
        touch
    };
    (0..100).map(fat).collect()
}

/// Letters that do not repeat.
pub(super) fn noise(length: usize) -> String {
    rand::random_iter::<u8>()
        .map(|byte| char::from(b'0' + byte % 64))
        .filter(char::is_ascii_alphanumeric)
        .take(length)
        .collect()
}

/// Posts one ad view.
pub(super) fn post(door: &str, id: &str) -> Answer {
    post_event(door, &touch(id))
}

pub(super) fn post_event(door: &str, event: &Value) -> Answer {
    send(door, &event.to_string())
}

pub(super) fn post_batch(door: &str, events: &[Value]) -> Answer {
    send(door, &Value::Array(events.to_vec()).to_string())
}

fn send(door: &str, body: &str) -> Answer {
    let mut curl = Command::new("curl")
        .args(["-sS", "-i", "--max-time", "40", "-H", "content-type: application/json", "-H", "expect:"])
        .args(["--data-binary", "@-", &format!("{door}/v1/events")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut curl.stdin.take().unwrap(), body.as_bytes()).unwrap();
    let output = curl.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        panic!("{door} did not answer: {}", String::from_utf8_lossy(&output.stderr))
    };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let retry_after = head.lines().any(|line| line.to_ascii_lowercase().starts_with("retry-after:"));
    Answer { status, retry_after, body: body.to_owned() }
}

/// The most memory that a replica has had, in MiB.
pub(super) fn peak(suite: &Suite, name: &str) -> u64 {
    suite.services[name].process.peak().unwrap() >> 20
}

/// Gives every partition of the suite's topics another node as its leader; the first ones are led by `from` now.
pub(super) fn move_leaders(fire: &Fire, from: usize) {
    let topics = [topic::ACTIVITY, topic::INSTALLS, topic::EVENTS, topic::POSTBACKS];
    let all = topics.iter().flat_map(|topic| (0..4).map(move |partition| (topic, partition)));
    let partitions: Vec<Value> = all
        .map(|(topic, partition)| {
            let replicas: Vec<usize> = (0..3).map(|place| (partition + from + place) % 3 + 1).collect();
            json!({ "topic": topic, "partition": partition, "replicas": replicas })
        })
        .collect();
    let plan = fire.suite.folder().join("reassignment.json");
    std::fs::write(&plan, json!({ "version": 1, "partitions": partitions }).to_string()).unwrap();
    let plan = ["--reassignment-json-file", plan.to_str().unwrap(), "--execute"];
    fire.suite.kafka.tool("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", &plan);
    let elect = ["--election-type", "preferred", "--all-topic-partitions"];
    fire.suite.kafka.tool("org.apache.kafka.tools.LeaderElectionCommand", &elect);
}
