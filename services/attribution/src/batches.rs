//! What goes out of batches: duplicates, replays, sessions, and events with the attribution of their install.

use serde_json::{Value, json};
use stream::Outgoing;

use crate::world::{DAY, World, activity, header, summary, touch};

fn install(event_id: &str, install_id: &str) -> String {
    activity("install", event_id, json!({ "install_id": install_id }))
}

fn event(event_id: &str, install_id: &str) -> String {
    activity("event", event_id, json!({ "install_id": install_id, "event_name": "purchase" }))
}

fn session(event_id: &str, install_id: &str) -> String {
    activity("session", event_id, json!({ "install_id": install_id }))
}

fn click() -> String {
    touch("click", "c", DAY, json!({ "campaign": "spring" }))
}

fn summaries(records: &[Outgoing]) -> Vec<String> {
    records.iter().map(summary).collect()
}

fn attribution(record: &Outgoing) -> Value {
    serde_json::from_slice::<Value>(&record.payload).unwrap()["attribution"].clone()
}

#[test]
fn an_event_has_the_attribution_of_an_install_in_the_same_batch_an_earlier_one_or_a_recorded_one() {
    let mut world = World::of([click(), install("i", "x"), event("e1", "x"), session("s", "x"), event("e2", "x")]);
    let mut published = world.decide(0..3);
    assert_eq!(summaries(&published), ["i: c", "e1: c"]);

    published.extend(world.decide(3..4));
    world.record(&published);
    world.session(2);
    published.extend(world.decide(4..5));
    assert_eq!(summaries(&published), ["i: c", "e1: c", "s: c", "e2: c"]);
    for later in &published[1..] {
        assert_eq!(&*later.topic, "events");
        assert_eq!(attribution(later), attribution(&published[0]), "it is copied in whole");
    }
}

#[test]
fn an_event_whose_install_is_not_known_is_pending() {
    let without_install_id = activity("event", "e2", json!({ "event_name": "purchase" }));
    let mut world = World::of([event("e1", "x"), install("i", "x"), event("e3", "other"), without_install_id]);
    let published = world.decide_all();
    assert_eq!(summaries(&published), ["e1: pending", "i: organic", "e3: pending", "e2: pending"]);
    assert_eq!(attribution(&published[0])["version"], 0);
    assert_eq!(attribution(&published[0])["media_source"], Value::Null);
}

#[test]
fn an_install_is_decided_once_within_a_batch_across_batches_and_for_good() {
    let installs = ["i1", "i2", "i3", "i4"].map(|event_id| install(event_id, "x"));
    let mut world = World::of(installs);
    let first = world.decide(0..2);
    assert_eq!(summaries(&first), ["i1: organic"]);
    assert_eq!(summaries(&world.decide(2..3)), [""; 0], "known to this process");

    world.record(&first);
    world.session(2);
    assert_eq!(summaries(&world.decide(3..4)), [""; 0], "known to the index");
}

#[test]
fn an_install_without_an_install_id_is_known_by_its_event_id() {
    let bare = |event_id: &str| activity("install", event_id, json!({}));
    let mut world = World::of([bare("i1"), bare("i2")]);
    assert_eq!(summaries(&world.decide_all()), ["i1: organic", "i2: organic"]);
}

#[test]
fn an_event_id_that_was_seen_at_a_lower_offset_is_dropped() {
    let mut world = World::of([event("e", "x"), event("e", "x"), session("e", "y"), event("f", "x")]);
    let mut published = world.decide(0..1);
    published.extend(world.decide(1..4));
    assert_eq!(summaries(&published), ["e: pending", "f: pending"]);

    assert_eq!(world.outcome(1..4).repeated, 2);

    let other_app = activity("event", "e", json!({ "app_id": "other", "event_name": "purchase" }));
    let mut world = World::of([event("e", "x"), other_app]);
    assert_eq!(world.decide_all().len(), 2, "senders of two apps may choose the same event id");
}

#[test]
fn the_same_offset_again_is_a_replay_and_goes_out_again_as_it_was() {
    let mut world = World::of([click(), install("i", "x"), event("e", "x")]);
    let published = world.decide_all();
    assert_eq!(world.decide_all(), published, "within a session");

    world.append(touch("click", "later", 1, json!({})));
    assert_eq!(world.decide(0..3), published, "a decision stands, whatever came since");
}

/// The commit failed, so nothing of it may be remembered: what it decided was never published.
#[test]
fn another_session_forgets_what_was_decided_and_not_recorded() {
    let mut world = World::of([click(), install("i", "x"), event("e", "x")]);
    world.decide(0..2);
    world.session(2);
    assert_eq!(summaries(&world.decide(2..3)), ["e: pending"]);
    assert_eq!(summaries(&world.decide(1..2)), ["i: c"]);
}

#[test]
fn a_record_goes_out_as_it_came_with_its_attribution_in_front() {
    let record = r#"  { "kind":"install", "event_id":"i","app_id":"game", "event_time":1795342272345,"unknown": {"b":[1 , 2]} } "#;
    let mut world = World::of([touch("click", "c", 1, json!({})), record.to_owned()]);
    let published = world.decide_all();
    let payload = String::from_utf8(published[0].payload.clone()).unwrap();
    let (front, rest) = payload.split_once("},").unwrap();
    assert!(front.starts_with(r#"{"attribution":{"status":"organic","#), "{front}");
    assert_eq!(rest, &record[3..]);
    let decided: event::Decided = serde_json::from_str(&payload).unwrap();
    assert_eq!(decided.attribution.install_time, Some(decided.activity.event_time));
}

#[test]
fn a_record_keeps_its_partition_and_key_and_says_where_it_came_from() {
    let mut world = World::of([session("s", "x"), install("i", "x")]);
    let published = world.decide_all();
    for (record, topic, ce_type, src) in [
        (&published[0], "events", "attributary.events.session", "activity/0/0"),
        (&published[1], "installs", "attributary.installs.install", "activity/0/1"),
    ] {
        assert_eq!((&*record.topic, record.partition, record.key.as_slice()), (topic, Some(0), b"game|d".as_slice()));
        assert_eq!(header(record, "ce_type"), ce_type);
        assert_eq!(header(record, "ce_source"), "/apps/game");
        assert_eq!(header(record, "ce_specversion"), "1.0");
        assert_eq!(header(record, "src"), src);
    }
    assert_eq!(header(&published[0], "ce_id"), "s");
}

#[test]
fn a_record_that_no_broker_would_take_is_refused_and_not_decided() {
    let large = activity("install", "i", json!({ "install_id": "x", "extra": { "filling": "x".repeat(960_000) } }));
    let world = World::of([large, event("e", "x")]);
    let outcome = world.outcome(0..2);
    assert_eq!(outcome.refused[0].refusal.code, "record_too_large");
    assert_eq!(summaries(&outcome.records), ["e: pending"]);
}

#[test]
fn an_install_that_another_program_published_is_known_too() {
    let mut world = World::of([event("e", "x"), install("i", "x")]);
    let foreign =
        Outgoing::to("installs", br#"{"event_id":"f","app_id":"game","event_time":1795342272345,"install_id":"x"}"#);
    world.record(&[foreign.header("src", "installs/0/7")]);
    assert_eq!(summaries(&world.decide_all()), ["e: organic"]);
}
