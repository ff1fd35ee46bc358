//! Partitions that cannot go on by themselves: they stand still and say so, the others go on, and an operator decides.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::{expect_totals, produce};
use event::topic;
use stream::{Outgoing, Producer};
use testkit::{Suite, eventually_within, sample};

const PARTITIONS: i32 = 4;

/// Publishes as many installs into each partition.
fn installs(producer: &Producer, source: &str, each: usize) {
    let install = |partition: i32, number: usize| {
        let id = format!("{source}-{partition}-{number}");
        Outgoing::to(topic::INSTALLS, sample::install(&id, source).to_string()).partition(partition).key(id)
    };
    let records = (0..PARTITIONS).flat_map(|partition| (0..each).map(move |number| (partition, number)));
    produce(producer, records.map(|(partition, number)| install(partition, number)).collect());
}

/// Waits until the trouble of a service is this, or none.
fn expect_trouble(suite: &Suite, name: &str, wanted: Option<&str>) {
    eventually_within(Duration::from_secs(60), "readyz says so", || {
        let said = suite.troubles(name);
        match wanted {
            Some(wanted) if said.contains(wanted) => Ok(()),
            None if said.is_empty() => Ok(()),
            _ => Err(format!("expected {wanted:?}, it says {said:?}")),
        }
    });
}

fn sums(of: &[(&str, i64)]) -> BTreeMap<String, i64> {
    of.iter().map(|&(source, sum)| (source.to_owned(), sum)).collect()
}

#[test]
fn what_retention_took_halts_its_partition_until_an_operator_skips_it() {
    let mut suite = Suite::start();
    let producer = Producer::open(&suite.kafka.config(), "halts").unwrap();
    suite.run("reports");
    installs(&producer, "acme", 10);
    expect_totals(&suite, ("installs", "media_source"), &sums(&[("acme", 40)]));

    suite.service("reports").kill();
    installs(&producer, "bluebird", 10);
    suite.kafka.delete_records(topic::INSTALLS, 2, 17);
    suite.service("reports").restart();
    expect_trouble(&suite, "reports", Some("installs/2 stands still: offset_out_of_range"));
    expect_totals(&suite, ("installs", "media_source"), &sums(&[("acme", 40), ("bluebird", 30)]));
    let table = suite.cli(&["positions", "ls", "--stage", "reports.installs"]);
    assert!(table.contains("offset_out_of_range"), "{table}");

    let skip = |to: &str| {
        let place = ["positions", "skip", "reports.installs", "--partition", "2", "--to", to];
        suite.cli_command(&[&place[..], &["--reason", "the test said so"]].concat()).output().unwrap()
    };
    assert_eq!(skip("5").status.code(), Some(78), "nobody can go on where nothing is");
    let skipped = skip("first");
    assert!(skipped.status.success(), "{}", String::from_utf8_lossy(&skipped.stderr));
    expect_trouble(&suite, "reports", None);
    expect_totals(&suite, ("installs", "media_source"), &sums(&[("acme", 40), ("bluebird", 33)]));
    let table = suite.cli(&["positions", "ls", "--stage", "reports.installs"]);
    assert!(table.contains("from 10 to 17: the test said so"), "{table}");
    let answer = suite.ask("reports", "/v1/stats?from=2026-11-01&to=2026-11-30");
    assert_eq!(answer["as_of"]["installs"]["2"]["incomplete_from"], 17, "{}", answer["as_of"]);
}

#[test]
fn a_key_of_another_type_halts_its_partition_alone() {
    let mut suite = Suite::start();
    let producer = Producer::open(&suite.kafka.config(), "halts").unwrap();
    suite.run("reports");
    installs(&producer, "acme", 10);
    expect_totals(&suite, ("installs", "media_source"), &sums(&[("acme", 40)]));

    let keys = suite.redis.command(&["KEYS", "{reports.installs.1:installs:1}:*"]);
    let is_counter = |key: &&str| suite.redis.command(&["TYPE", key]) == "hash";
    let key = keys.lines().find(is_counter).unwrap_or_else(|| panic!("no counters: {keys}"));
    assert_eq!(suite.redis.command(&["RENAME", key, "{reports.installs.1:installs:1}:aside"]), "OK");
    assert_eq!(suite.redis.command(&["SET", key, "somebody else's"]), "OK");
    installs(&producer, "bluebird", 10);
    expect_trouble(&suite, "reports", Some("installs/1 stands still: wrong_type"));
    assert!(suite.troubles("reports").contains(key), "the key is named: {}", suite.troubles("reports"));
    let position = |partition: i32| {
        suite.redis.command(&["GET", &format!("{{reports.installs.1:installs:{partition}}}:position")])
    };
    eventually_within(Duration::from_secs(60), "the others go on", || {
        let positions: Vec<String> = (0..PARTITIONS).map(position).collect();
        if positions == ["20", "10", "20", "20"] { Ok(()) } else { Err(format!("{positions:?}")) }
    });

    assert_eq!(suite.redis.command(&["RENAME", "{reports.installs.1:installs:1}:aside", key]), "OK");
    expect_totals(&suite, ("installs", "media_source"), &sums(&[("acme", 40), ("bluebird", 40)]));
    expect_trouble(&suite, "reports", None);
}
