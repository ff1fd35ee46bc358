//! Answers that come late or never, and scripts that are gone: on one server, on both sides.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use std::time::Duration;

use ledger::{Ask, Index, Ledger, Reader, Redis, Registry, Value};
use stream::{Error, Offset};
use support::{STAGE, TOPIC, Writer, commit, resume, stands};

fn server() -> (testkit::Redis, Redis, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = testkit::Redis::start(folder.path().to_owned());
    let redis = Redis { response_timeout: Duration::from_millis(300), ..server.config() };
    (server, redis, folder)
}

/// The connections to the server, by their ids, but for the one that asks.
fn connections(server: &testkit::Redis) -> Vec<String> {
    let clients = server.command(&["CLIENT", "LIST"]);
    let others = clients.lines().filter(|line| !line.contains("cmd=client|list"));
    others.map(|line| line.split_once(' ').unwrap().0.to_owned()).collect()
}

/// How often a command was called.
fn calls(server: &testkit::Redis, command: &str) -> u64 {
    let statistics = server.command(&["INFO", "commandstats"]);
    let line = statistics.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split_once(',').unwrap().0.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_reaches_no_other_question_and_the_connection_is_given_up() {
    let (server, redis, _folder) = server();
    let registry = Registry::open(&redis, "postbacks").await.unwrap();
    for n in 0..20 {
        registry.first("rules", &n.to_string(), &n.to_string()).await.unwrap();
    }
    for _ in 0..3 {
        let before = connections(&server);
        server.process.signal("STOP");
        let asked = (0..20).map(|n: i32| {
            let registry = registry.clone();
            tokio::spawn(async move { registry.first("rules", &n.to_string(), "another").await })
        });
        for asked in asked.collect::<Vec<_>>() {
            let error = asked.await.unwrap().unwrap_err();
            assert!(matches!(error, Error::Transient(_)), "{error}");
        }
        server.process.signal("CONT");
        for n in (0..20).rev() {
            let stands = testkit::eventually("it answers again", || {
                tokio::task::block_in_place(|| {
                    let handle = tokio::runtime::Handle::current();
                    handle.block_on(registry.first("rules", &n.to_string(), "another")).map_err(|e| e.to_string())
                })
            });
            assert_eq!(stands, n.to_string(), "this is the answer to another question");
        }
        let after = connections(&server);
        assert!(after.iter().all(|id| !before.contains(id)), "{before:?} is still used: {after:?}");
        assert_eq!(after.len(), 1, "twenty that failed together share one new connection: {after:?}");
    }
}

#[test]
fn a_commit_that_hung_is_applied_once_whether_it_was_or_was_not() {
    let (server, redis, _folder) = server();
    let mut ledger = Ledger::open(&redis, STAGE, TOPIC).unwrap();
    let mut position = resume(&mut ledger, &[0]).unwrap()[0];
    for _ in 0..5 {
        commit(&mut ledger, &[(0, position)]).unwrap();
        server.process.signal("STOP");
        let error = commit(&mut ledger, &[(0, Offset(position.0 + 1))]).unwrap_err();
        assert!(matches!(error, Error::Transient(_)), "{error}");
        assert!(matches!(resume(&mut ledger, &[0]), Err(Error::Transient(_))), "it hangs still");
        server.process.signal("CONT");
        position = testkit::eventually("it answers again", || {
            resume(&mut ledger, &[0]).map(|positions| positions[0]).map_err(|error| error.to_string())
        });
    }
    let [(count, stored)] = stands(&redis, &[0])[..] else { panic!() };
    assert_eq!((count, stored), (position.0, position.0));
    assert!(count >= 5, "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_loads_its_script_once_and_again_when_it_is_gone() {
    let (server, redis, _folder) = server();
    let written = redis.clone();
    tokio::task::spawn_blocking(move || {
        let mut ledger = Ledger::open(&written, STAGE, TOPIC).unwrap();
        resume(&mut ledger, &[0, 1]).unwrap();
        commit(&mut ledger, &[(0, Offset(0)), (1, Offset(0))]).unwrap();
    })
    .await
    .unwrap();
    let before = calls(&server, "script|load");
    let reader = Reader::open(&redis, STAGE, TOPIC).await.unwrap();
    let scripts = calls(&server, "script|load") - before;
    assert!(scripts > 0, "a connection loads its scripts");
    let ask = [Ask::HGet("c".into(), "n".into())];
    for flush in [false, true, true] {
        if flush {
            server.command(&["SCRIPT", "FLUSH"]);
        }
        let loaded = calls(&server, "script|load");
        for _ in 0..10 {
            let seen = reader.fetch(&ask).await.unwrap();
            assert!(seen.iter().all(|seen| seen.values == [Value::Bytes(b"1".to_vec())]), "{seen:?}");
        }
        let expected = if flush { scripts } else { 0 };
        assert_eq!(calls(&server, "script|load") - loaded, expected, "flushed: {flush}");
    }
}

#[test]
fn a_flush_of_the_scripts_costs_a_stage_one_recovery() {
    let (server, redis, _folder) = server();
    let mut writer = Writer::open(&redis, &[0, 1, 2]);
    let mut index = Index::open(&redis, STAGE, TOPIC).unwrap();
    for round in 1..=3 {
        assert!(writer.step(), "{:?}", writer.failures);
        server.command(&["SCRIPT", "FLUSH"]);
        assert!(!writer.step(), "a script was flushed");
        assert!(writer.step(), "{:?}", writer.failures);
        assert_eq!(writer.failures.len(), round, "{:?}", writer.failures);
        index.fetch(&[0, 1, 2], &[]).unwrap();
    }
    assert_eq!(stands(&redis, &[0, 1, 2]), [(6, 6); 3]);
}

#[test]
fn a_primary_that_became_a_replica_is_named_and_asked_again() {
    let (server, redis, _folder) = server();
    let mut writer = Writer::open(&redis, &[0]);
    assert!(writer.step());
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert!(!writer.step());
    let expected = format!("redis at 127.0.0.1:{} is a replica", server.port);
    assert!(writer.failures[0].contains(&expected), "{:?}", writer.failures);
    server.command(&["REPLICAOF", "NO", "ONE"]);
    assert!(writer.step(), "{:?}", writer.failures);
    assert_eq!(stands(&redis, &[0]), [(2, 2)]);
}
