//! The oracle's least cases through the running pipeline: touches and installs in `activity`, decisions in `installs`,
//! while `attribution` is killed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::{header, now_ms, produce, read};
use event::{Activity, topic};
use serde_json::{Value, json};
use stream::tail::Stored;
use stream::{Outgoing, Producer};
use testkit::{Suite, eventually_within};

const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

/// What is sent for one case, in the order on the wire, and what is decided.
struct Case {
    name: &'static str,
    log: Vec<Sent>,
    expected: &'static str,
}

/// A record without what tells cases and rounds apart: app, device, ids and the moment of the install.
struct Sent {
    kind: &'static str,
    name: &'static str,
    /// Milliseconds before the install.
    age: i64,
    more: Value,
}

fn case<const N: usize>(name: &'static str, log: [Sent; N], expected: &'static str) -> Case {
    Case { name, log: log.into(), expected }
}

fn click(name: &'static str, age: i64) -> Sent {
    Sent { kind: "click", name, age, more: json!({}) }
}

fn impression(name: &'static str, age: i64) -> Sent {
    Sent { kind: "impression", ..click(name, age) }
}

fn install(name: &'static str) -> Sent {
    Sent { kind: "install", ..click(name, 0) }
}

impl Sent {
    fn with(self, more: Value) -> Self {
        Self { more, ..self }
    }

    /// The record for Kafka, with the key that keeps a device in one partition.
    fn record(&self, scope: &str, moment: i64) -> Outgoing {
        let mut activity = json!({
            "event_id": format!("{scope}-{}", self.name), "kind": self.kind, "app_id": format!("oracle.{scope}"),
            "event_time": moment - self.age, "received_at": moment, "device": { "oaid": scope },
        });
        let fields = activity.as_object_mut().unwrap();
        match self.kind {
            "install" => fields.insert("install_id".into(), scope.into()),
            _ => fields.insert("media_source".into(), "acme".into()),
        };
        fields.extend(self.more.as_object().unwrap().clone());
        let payload = activity.to_string();
        let key = serde_json::from_str::<Activity>(&payload).unwrap().partition_key();
        Outgoing::to(topic::ACTIVITY, payload).key(key)
    }
}

fn cases() -> Vec<Case> {
    let zero = json!({ "device": { "advertising_id": "00000000-0000-0000-0000-000000000000" } });
    let told = json!({ "click_id": "told", "device": {} });
    let long = json!({ "click_window": "60d" });
    vec![
        case("a1", [click("c", 7 * DAY - 1), install("i")], "attributed acme c"),
        case("a2", [click("c", 7 * DAY), install("i")], "attributed acme c"),
        case("a3", [click("c", 7 * DAY + 1), install("i")], "organic organic (outside_window)"),
        case("b", [click("c", DAY), impression("v", MINUTE), install("i")], "attributed acme c + v"),
        case(
            "d",
            [
                click("by-referrer", 5).with(told),
                click("by-id", 5),
                install("i").with(json!({ "referrer": "click_id=told" })),
            ],
            "attributed acme by-referrer + by-id",
        ),
        case("e", [click("c", DAY).with(json!({ "app_id": "another.app" })), install("i")], "organic organic"),
        case("h", [install("i"), click("c", 500)], "attributed acme c"),
        case("i1", [click("c", DAY), install("i"), install("i")], "attributed acme c"),
        case("i2", [click("c", DAY), install("i"), install("again")], "attributed acme c"),
        case("l", [click("c", DAY).with(zero.clone()), install("i").with(zero)], "organic organic"),
        case("m", [impression("v", MINUTE), install("i")], "attributed acme v"),
        case("o1", [click("c", 30 * DAY).with(long.clone()), install("i")], "attributed acme c"),
        case("o2", [click("c", 30 * DAY + 1).with(long), install("i")], "organic organic (outside_window)"),
        case(
            "p",
            [
                click("c1", DAY),
                click("c2", 2 * DAY),
                click("c3", 3 * DAY),
                impression("v1", MINUTE),
                impression("v2", 2 * MINUTE),
                install("i"),
            ],
            "attributed acme c1 + v1 v2 c2",
        ),
    ]
}

/// Where the install of each case stands, and what must be decided on it; by the name of the case and its round.
type Expected = BTreeMap<String, (String, &'static str)>;

/// Sends every case under ids of its own, one record after the other.
fn send_round(producer: &Producer, round: usize) -> Expected {
    let mut expected = Expected::new();
    for Case { name, log, expected: decision } in cases() {
        let (scope, moment) = (format!("{name}-{round}"), now_ms());
        for sent in log {
            let source = produce(producer, vec![sent.record(&scope, moment)]).remove(0);
            if sent.kind == "install" {
                expected.entry(scope.clone()).or_insert((source, decision));
            }
        }
    }
    expected
}

fn send_rounds(kafka: &stream::Kafka, running: &AtomicBool) -> Expected {
    let producer = Producer::open(kafka, "rounds").unwrap();
    let rounds = (0..).take_while(|_| running.load(Ordering::SeqCst));
    rounds.flat_map(|round| send_round(&producer, round)).collect()
}

/// A decision in a line: status, media source, touch, contributors, reason.
fn summary(record: &Stored, scope: &str) -> String {
    let decided: Value = serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap();
    let attribution = &decided["attribution"];
    let touch = |id: &Value| id.as_str().unwrap().strip_prefix(&format!("{scope}-")).unwrap().to_owned();
    let mut line = ["status", "media_source"].map(|field| attribution[field].as_str().unwrap()).join(" ");
    if !attribution["touch_id"].is_null() {
        line += &format!(" {}", touch(&attribution["touch_id"]));
    }
    if let Some(contributors) = attribution["contributors"].as_array() {
        let ids: Vec<String> = contributors.iter().map(|each| touch(&each["touch_id"])).collect();
        line += &format!(" + {}", ids.join(" "));
    }
    if let Some(reason) = attribution["reason"].as_str() {
        line += &format!(" ({reason})");
    }
    line
}

/// Waits until `decide` has passed everything that stands in `activity` now: behind it, each partition gets a session,
/// which goes out in its turn.
fn wait_until_decided(suite: &Suite, name: &str) {
    let kafka = suite.kafka.config();
    let producer = Producer::open(&kafka, name).unwrap();
    let marker = |partition: i32| {
        let id = format!("{name}-{partition}");
        let session = json!({ "event_id": id, "kind": "session", "app_id": "oracle.marker", "event_time": now_ms() });
        Outgoing::to(topic::ACTIVITY, session.to_string()).key(id).partition(partition)
    };
    let mut awaited = produce(&producer, (0..4).map(marker).collect());
    eventually_within(Duration::from_secs(120), &format!("{name} goes out"), || {
        let arrived: Vec<String> = read(&kafka, topic::EVENTS).iter().map(|event| header(event, "src")).collect();
        awaited.retain(|source| !arrived.contains(source));
        if awaited.is_empty() { Ok(()) } else { Err(format!("still to come: {awaited:?}")) }
    });
}

/// Every install has its one decision, made from the record that was sent first, and it is the right one.
fn expect_decisions(suite: &Suite, expected: &Expected) {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for record in read(&suite.kafka.config(), topic::INSTALLS) {
        let decided: Value = serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap();
        let scope = decided["install_id"].as_str().unwrap().to_owned();
        let decision = (header(&record, "src"), summary(&record, &scope));
        found.entry(scope).or_default().push(decision);
    }
    for (scope, (source, decision)) in expected {
        let once = vec![(source.clone(), (*decision).to_owned())];
        assert_eq!(found.remove(scope).unwrap_or_default(), once, "case {scope}");
    }
    assert!(found.is_empty(), "nobody sent these: {found:?}");
}

#[test]
fn every_case_is_decided_once_and_right_while_attribution_is_killed() {
    let mut suite = Suite::start();
    // Small transactions, so that a kill finds one under way.
    suite.set("attribution", "batch.max_records", "20");
    suite.run("attribution");
    let running = AtomicBool::new(true);
    let kafka = suite.kafka.config();
    let expected = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send_rounds(&kafka, &running));
        for _ in 0..3 {
            pause(Duration::from_secs(7)); // beyond the hold: it is deciding
            suite.service("attribution").kill();
            suite.service("attribution").restart();
            suite.ready("attribution");
        }
        running.store(false, Ordering::SeqCst);
        sender.join().unwrap()
    });
    assert!(expected.len() > 10 * cases().len(), "only {} installs were sent", expected.len());
    wait_until_decided(&suite, "after-the-kills");
    expect_decisions(&suite, &expected);

    // What was decided is decided again, by a process that remembers nothing: nothing more goes out.
    let producer = Producer::open(&kafka, "again").unwrap();
    suite.service("attribution").signal("TERM");
    assert!(suite.service("attribution").wait(Duration::from_secs(30)).success());
    produce(&producer, expected.keys().map(|scope| install("later").record(scope, now_ms())).collect());
    suite.service("attribution").restart();
    wait_until_decided(&suite, "decided-again");
    expect_decisions(&suite, &expected);
}

#[test]
fn what_cannot_be_decided_goes_to_the_dead_letters_with_its_code_and_its_place() {
    let mut suite = Suite::start();
    suite.run("attribution");
    let kafka = suite.kafka.config();
    let producer = Producer::open(&kafka, "broken").unwrap();
    let claimed = json!({ "attribution": { "status": "attributed", "media_source": "acme" } });
    let letters = [
        ("json_syntax", Outgoing::to(topic::ACTIVITY, "{\"event_id\": \"broken").key("oracle.broken|device")),
        ("field_reserved", install("i").with(claimed).record("claimed", now_ms())),
    ];
    let sent: Vec<Outgoing> = letters.iter().map(|(_, record)| record.clone()).collect();
    let places = produce(&producer, sent);
    let fine = produce(&producer, vec![install("i").record("fine", now_ms())]).remove(0);
    wait_until_decided(&suite, "behind-the-broken");

    // A letter is sent before the position moves past its record, so that a recovery may send it again.
    let mut dead: BTreeMap<String, Stored> =
        read(&kafka, &stream::dead_topic(topic::ACTIVITY)).into_iter().map(|letter| (place(&letter), letter)).collect();
    for ((code, original), place) in letters.iter().zip(places) {
        let letter = dead.remove(&place).unwrap_or_else(|| panic!("no letter for {place}, {code}"));
        assert_eq!(header(&letter, stream::HEADER_CODE), *code);
        assert_eq!(header(&letter, stream::HEADER_SERVICE), "attribution");
        assert_eq!(letter.payload.as_ref(), Some(&original.payload), "{code}");
        assert_eq!(letter.key.as_ref(), Some(&original.key), "{code}");
    }
    assert!(dead.is_empty(), "nothing is wrong with {:?}", dead.keys());
    expect_decisions(&suite, &BTreeMap::from([("fine".to_owned(), (fine, "organic organic"))]));
}

/// Where the original of a dead letter stands.
fn place(letter: &Stored) -> String {
    [stream::HEADER_TOPIC, stream::HEADER_PARTITION, stream::HEADER_OFFSET].map(|name| header(letter, name)).join("/")
}

/// Lets the sender run on: the time is the fault's own, not a wait for an effect.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
