//! `reports` on a real Kafka and Redis, while its replicas are killed, frozen and multiplied: a counter is the fold of the
//! log, whatever happens to whoever counts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::{expect_totals, produce};
use event::topic;
use stream::{Outgoing, Producer};
use testkit::{Suite, sample};

const SOURCES: [&str; 3] = ["acme", "northwind", "organic"];

/// Produces installs until told to stop; answers how many of each source Kafka has.
fn load(kafka: &stream::Kafka, running: &AtomicBool) -> BTreeMap<String, i64> {
    let producer = Producer::open(kafka, "load").unwrap();
    let mut sent = BTreeMap::new();
    let mut number = 0;
    while running.load(Ordering::SeqCst) {
        let records = (0..200).map(|_| {
            number += 1;
            let source = SOURCES[number % SOURCES.len()];
            *sent.entry(source.to_owned()).or_insert(0) += 1;
            let install = sample::install(&format!("i-{number}"), source);
            Outgoing::to(topic::INSTALLS, install.to_string()).key(format!("device-{number}"))
        });
        produce(&producer, records.collect());
    }
    sent
}

/// Runs a fault under load, and expects every counter to be right afterwards.
fn under_load(suite: &mut Suite, fault: impl FnOnce(&mut Suite)) {
    let running = AtomicBool::new(true);
    let kafka = suite.kafka.config();
    let sent = std::thread::scope(|scope| {
        let loader = scope.spawn({
            let running = &running;
            move || load(&kafka, running)
        });
        fault(suite);
        running.store(false, Ordering::SeqCst);
        loader.join().unwrap()
    });
    assert!(sent.values().sum::<i64>() > 1_000, "the load ran: {sent:?}");
    expect_totals(suite, ("installs", "media_source"), &sent);
}

#[test]
fn counters_survive_kill_9_a_zombie_and_a_rebalance() {
    let mut suite = Suite::start();
    suite.run("reports");
    under_load(&mut suite, |suite| {
        for _ in 0..5 {
            pause(Duration::from_millis(700));
            suite.service("reports").kill();
            suite.service("reports").restart();
            suite.ready("reports");
        }
        suite.run("reports-2");
        pause(Duration::from_secs(1));
        // Frozen beyond the session timeout, it wakes as a zombie while another owns its partitions.
        suite.service("reports-2").signal("STOP");
        pause(Duration::from_secs(12));
        suite.service("reports-2").signal("CONT");
        suite.run("reports-3");
        pause(Duration::from_secs(1));
        suite.service("reports-2").signal("TERM");
        assert!(suite.service("reports-2").wait(Duration::from_secs(20)).success());
        pause(Duration::from_secs(1));
    });
}

/// Lets the load run on: the time is the fault's own, not a wait for an effect.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_redriven_letter_is_counted_once_by_the_service_that_refused_it() {
    let mut suite = Suite::start();
    suite.run("reports");
    let producer = Producer::open(&suite.kafka.config(), "letters").unwrap();
    let letter = |id: &str, service: &str| {
        Outgoing::to("installs.dead", sample::install(id, "acme").to_string())
            .key(id)
            .header(stream::HEADER_SERVICE, service)
            .header(stream::HEADER_TOPIC, "installs")
            .header(stream::HEADER_PARTITION, "0")
            .header(stream::HEADER_OFFSET, id)
            .header("trace", "kept")
    };
    // A crash may repeat a letter: it keeps its coordinates.
    let letters = ["a", "c", "a"].map(|id| letter(id, "reports"));
    produce(&producer, letters.into_iter().chain([letter("b", "postbacks")]).collect());
    for moved in ["2", "0"] {
        let table = suite.cli(&["dead", "redrive", "installs", "--service", "reports"]);
        assert!(table.contains(moved), "{moved} letters: {table}");
        expect_totals(&suite, ("installs", "media_source"), &BTreeMap::from([("acme".to_owned(), 2)]));
    }
    let refused = suite.cli_command(&["dead", "redrive", "installs", "--service", "postbacks"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(78), "nobody would read them");
}

#[test]
fn an_emptied_store_is_never_answered_for_as_if_it_were_whole() {
    let mut suite = Suite::start();
    suite.run("reports");
    let producer = Producer::open(&suite.kafka.config(), "flushed").unwrap();
    let install = |number: usize| {
        let id = format!("i-{number}");
        Outgoing::to(topic::INSTALLS, sample::install(&id, "acme").to_string()).key(id)
    };
    produce(&producer, (0..1_000).map(install).collect());
    expect_totals(&suite, ("installs", "media_source"), &BTreeMap::from([("acme".to_owned(), 1_000)]));

    pause(Duration::from_secs(3)); // the witness follows within a second
    let question = "/v1/stats?from=2026-11-01&to=2026-11-30&granularity=total&metrics=installs";
    suite.redis.command(&["FLUSHALL"]);
    let mut flagged = 0;
    testkit::eventually("it is whole again", || {
        let answer = suite.ask("reports", question);
        if answer["as_of"]["installs"]
            .as_object()
            .unwrap()
            .values()
            .any(|partition| partition.get("rebuilding").is_some())
        {
            flagged += 1;
            return Err(answer.to_string());
        }
        assert_eq!(answer["totals"]["installs"], 1_000, "it says that this is all: {answer}");
        Ok(())
    });
    assert!(flagged > 0, "nobody saw it empty");
}
