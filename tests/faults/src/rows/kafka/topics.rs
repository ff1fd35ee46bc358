//! Topics that are not what the services take them for. Without a load: what was lost with a topic is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use event::topic;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use stream::{Delivery, Outgoing, Producer};
use testkit::{Kafka, Suite, eventually_within, sample};

const S: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 4;

/// Every service ends at once, and names the address.
pub(super) fn wrong_address(_: u64) -> String {
    let mut suite = Suite::start();
    let folder = suite.folder().join("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    let elsewhere = Kafka::start_advertising(folder, "kafka.invalid:9092");
    suite.rules("");
    let topics = testkit::repository().join("deploy/topics.toml");
    let apply = ["topics", "apply", "--partitions", "4", "--file", topics.to_str().unwrap()];
    let applied = suite.cli_command(&apply).env("ATTRIBUTARY__KAFKA__BROKERS", elsewhere.direct()).output().unwrap();
    assert!(applied.status.success(), "{applied:?}");
    for service in ["ingest", "attribution", "reports", "postbacks"] {
        suite.set(service, "kafka.brokers", &elsewhere.brokers());
        suite.launch(service);
    }
    for service in ["ingest", "attribution", "reports", "postbacks"] {
        ends(&mut suite, service, 69, &["kafka.invalid:9092", "cannot be reached", "advertised.listeners"]);
    }
    "exit 69, the address is named".into()
}

pub(super) fn missing(_: u64) -> String {
    let mut suite = Suite::start();
    suite.kafka.delete_topic(topic::EVENTS);
    suite.rules("");
    for service in ["attribution", "reports", "postbacks"] {
        suite.launch(service);
    }
    for service in ["attribution", "reports", "postbacks"] {
        ends(&mut suite, service, 78, &["topic events does not exist", "attributary topics apply"]);
    }
    "exit 78, the topic is named".into()
}

/// The topic is deleted under the stages and made anew: they stand still, whatever the seed puts into it.
pub(super) fn recreated(seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let mut suite = counting(20);
    anew(&suite);
    let few = random.random_range(0..20);
    publish(&suite, "bluebird", few, 0..PARTITIONS);
    expect_trouble(&suite, "topic_recreated");
    expect_installs(&suite, &[("acme", 80)]);
    suite.service("reports").kill();
    suite.service("reports").restart();
    expect_trouble(&suite, "topic_recreated");
    expect_installs(&suite, &[("acme", 80)]);
    format!("halted over a restart, with {few} records in each partition")
}

/// As before, but the new log grows beyond the old positions; and then somebody says that it was meant.
pub(super) fn recreated_and_filled(seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let mut suite = counting(20);
    let is_running = random.random_bool(0.5);
    if !is_running {
        suite.service("reports").kill();
    }
    anew(&suite);
    let each = random.random_range(30..50);
    publish(&suite, "bluebird", each, 0..PARTITIONS);
    if !is_running {
        suite.service("reports").restart();
    }
    expect_trouble(&suite, "topic_recreated");
    expect_installs(&suite, &[("acme", 80)]);

    let listed = suite.cli(&["positions", "ls", "--stage", "reports.installs"]);
    assert_eq!(listed.matches("topic_recreated").count(), PARTITIONS as usize, "{listed}");
    for partition in 0..PARTITIONS {
        let place = ["positions", "skip", "reports.installs", "--partition", &partition.to_string()];
        suite.cli(&[&place[..], &["--to", "first", "--reason", "it was meant"]].concat());
    }
    expect_installs(&suite, &[("acme", 80), ("bluebird", i64::from(PARTITIONS) * each as i64)]);
    format!("halted, {}; counted when it was told to", if is_running { "while reading" } else { "at the start" })
}

/// Each partition loses another part of what was not read.
pub(super) fn passed_by_retention(seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let mut suite = counting(20);
    suite.service("reports").kill();
    publish(&suite, "bluebird", 30, 0..PARTITIONS);
    let gaps: Vec<i64> = (0..PARTITIONS).map(|_| random.random_range(-20..30)).collect();
    for (partition, gap) in (0..).zip(&gaps) {
        suite.kafka.delete_records(topic::INSTALLS, partition, 20 + gap);
    }
    suite.service("reports").restart();
    let passed: Vec<(i32, i64)> = (0..).zip(gaps).filter(|(_, gap)| *gap > 0).collect();
    for (partition, gap) in &passed {
        let said = format!("installs/{partition} stands still: offset_out_of_range");
        expect_trouble(&suite, &said);
        expect_trouble(&suite, &format!("{gap} offsets are gone"));
    }
    let whole = i64::from(PARTITIONS) - passed.len() as i64;
    expect_installs(&suite, &[("acme", 80), ("bluebird", 30 * whole)]);
    format!("gaps reported as they are: {passed:?}")
}

pub(super) fn grown(seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let mut suite = Suite::start();
    suite.rules("");
    // Before anything is published: attribution would take what it did not decide for its own.
    for service in ["attribution", "postbacks", "reports"] {
        suite.run(service);
    }
    publish(&suite, "acme", 20, 0..PARTITIONS);
    expect_installs(&suite, &[("acme", 80)]);
    let more = random.random_range(5..9);
    for topic in [topic::ACTIVITY, topic::INSTALLS, topic::EVENTS, topic::POSTBACKS] {
        suite.kafka.grow_topic(topic, usize::try_from(more).unwrap());
    }
    publish(&suite, "bluebird", 10, 0..more);
    expect_installs(&suite, &[("acme", 80), ("bluebird", i64::from(10 * more))]);
    for service in ["attribution", "postbacks"] {
        ends(&mut suite, service, 78, &["partitions_changed", "4", &more.to_string(), "generation"]);
    }
    format!("{more} partitions counted")
}

/// A suite whose `reports` has counted so many installs in each partition.
fn counting(each: usize) -> Suite {
    let mut suite = Suite::start();
    suite.run("reports");
    publish(&suite, "acme", each, 0..PARTITIONS);
    expect_installs(&suite, &[("acme", i64::from(PARTITIONS) * each as i64)]);
    suite
}

fn anew(suite: &Suite) {
    suite.kafka.delete_topic(topic::INSTALLS);
    eventually_within(MINUTE, "the topic can be made anew", || {
        let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            suite.kafka.create_topic(topic::INSTALLS, PARTITIONS)
        }));
        made.map_err(|_| "not yet".to_owned())
    });
}

fn publish(suite: &Suite, source: &str, each: usize, partitions: std::ops::Range<i32>) {
    let producer = Producer::open(&suite.kafka.config(), "rows").unwrap();
    let install = |partition: i32, number: usize| {
        let id = format!("{source}-{partition}-{number}");
        Outgoing::to(topic::INSTALLS, sample::install(&id, source).to_string()).partition(partition).key(id)
    };
    let records = partitions.flat_map(|partition| (0..each).map(move |number| (partition, number)));
    for delivery in producer.send_blocking(records.map(|(partition, number)| install(partition, number)).collect()) {
        assert!(matches!(delivery, Delivery::Stored { .. }), "{delivery:?}");
    }
}

fn expect_trouble(suite: &Suite, wanted: &str) {
    eventually_within(MINUTE, "readyz says so", || {
        let said = suite.troubles("reports");
        if said.contains(wanted) { Ok(()) } else { Err(format!("{wanted:?} is not in {said:?}")) }
    });
}

fn expect_installs(suite: &Suite, wanted: &[(&str, i64)]) {
    let wanted: BTreeMap<String, i64> =
        wanted.iter().filter(|(_, count)| *count > 0).map(|&(source, count)| (source.to_owned(), count)).collect();
    eventually_within(MINUTE, "the counts are right", || {
        let answer =
            suite.ask("reports", "/v1/stats?from=2026-11-01&to=2026-11-30&group_by=media_source&metrics=installs");
        let count = |row: &Value| Some((row["media_source"].as_str()?.to_owned(), row["installs"].as_i64()?));
        let found: BTreeMap<String, i64> = answer["rows"].as_array().into_iter().flatten().filter_map(count).collect();
        if found == wanted { Ok(()) } else { Err(format!("{found:?}, not {wanted:?}")) }
    });
}

/// The service ends by itself with this code, and its last line says these.
fn ends(suite: &mut Suite, service: &str, code: i32, says: &[&str]) {
    let process = suite.service(service);
    let status = process.wait(90 * S);
    let log = process.log();
    let last = log.lines().last().unwrap_or_default();
    assert_eq!(status.code(), Some(code), "{service}: {last}");
    for word in says {
        assert!(last.contains(word), "{service} must say {word:?}: {last}");
    }
}
