//! The ledger behind a real Sentinel: whoever is the primary now.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use std::time::{Duration, Instant};

use ledger::{Ledger, Reader, Redis};
use stream::{Error, Offset};
use support::{STAGE, TOPIC, Writer, commit, resume, stands};
use testkit::Sentinel;

/// Until the replica is the primary and takes writes: a second until the old one counts as down, and the election.
const FAILOVER: Duration = Duration::from_secs(20);

fn position(server: &testkit::Redis) -> String {
    server.command(&["GET", &format!("{{{STAGE}.1:{TOPIC}:0}}:position")])
}

#[test]
fn after_a_failover_writes_go_on_at_the_new_primary_from_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let mut servers = Sentinel::start(folder.path());
    let redis = servers.config();
    let mut ledger = Ledger::open(&redis, STAGE, TOPIC).unwrap();
    resume(&mut ledger, &[0]).unwrap();
    for from in 0..3 {
        commit(&mut ledger, &[(0, Offset(from))]).unwrap();
    }
    testkit::eventually("the replica has it", || match position(&servers.replica).as_str() {
        "3" => Ok(()),
        other => Err(other.to_owned()),
    });
    // The replica stays behind by two commits, which die with the primary.
    servers.cut();
    for from in 3..5 {
        commit(&mut ledger, &[(0, Offset(from))]).unwrap();
    }
    servers.primary.process.kill();
    servers.replica.process.signal("CONT");

    let killed = Instant::now();
    testkit::eventually_within(FAILOVER, "the new primary answers", || match commit(&mut ledger, &[(0, Offset(5))]) {
        Err(Error::Fenced(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(()) => panic!("a commit went through on top of what was lost"),
    });
    eprintln!("fenced by the new primary after {:?}", killed.elapsed());
    assert_eq!(resume(&mut ledger, &[0]).unwrap(), [Offset(3)]);
    for from in 3..6 {
        commit(&mut ledger, &[(0, Offset(from))]).unwrap();
    }
    assert_eq!(stands(&redis, &[0]), [(6, 6)]);
    assert_eq!(position(&servers.replica), "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_became_a_replica_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Sentinel::start(folder.path());
    let redis = servers.config();
    let mut writer = Writer::open(&redis, &[0]);
    assert!(writer.step(), "{:?}", writer.failures);
    let reader = Reader::open(&redis, STAGE, TOPIC).await.unwrap();
    assert_eq!(reader.fetch(&[]).await.unwrap()[0].position, Some(Offset(1)));

    assert_eq!(servers.command(&["SENTINEL", "FAILOVER", "main"]), "OK");
    testkit::eventually_within(FAILOVER, "the new primary takes a write", || {
        let wrote = writer.step();
        let role = servers.replica.command(&["ROLE"]);
        if wrote && role.starts_with("master") { Ok(()) } else { Err(format!("{role} {:?}", writer.failures.last())) }
    });
    let [(count, stored)] = stands(&redis, &[0])[..] else { panic!() };
    assert_eq!(count, stored, "{:?}", writer.failures);
    let seen = tokio::task::spawn_blocking(move || {
        testkit::eventually("the reader finds it too", || {
            let handle = tokio::runtime::Handle::current();
            let seen = handle.block_on(reader.fetch(&[])).map_err(|error| error.to_string())?;
            Ok(seen[0].position.unwrap().0)
        })
    });
    assert_eq!(seen.await.unwrap(), stored);
}

#[test]
fn a_wrong_name_or_no_sentinel_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Sentinel::start(folder.path());
    let (sentinel, primary) = (servers.port, servers.primary.port);
    for (url, code, says) in [
        (format!("redis+sentinel://127.0.0.1:{sentinel}/other"), 78, "the sentinels know no primary of this name"),
        ("redis+sentinel://127.0.0.1:1/main".to_owned(), 69, "127.0.0.1:1"),
        (format!("redis+sentinel://127.0.0.1:{primary}/main"), 78, "this is no sentinel"),
    ] {
        let redis = Redis { url: url.clone(), ..Redis::default() };
        match Ledger::open(&redis, STAGE, TOPIC) {
            Err(Error::Fatal { exit_code, cause }) => {
                assert!(exit_code == code && cause.to_string().contains(says), "{url}: {exit_code} {cause}");
                assert!(cause.to_string().contains("redis.url"), "{url}: {cause}");
            }
            Err(error) => panic!("{url}: {error}"),
            Ok(_) => panic!("{url} was accepted"),
        }
    }
    // One of several sentinels that answers is enough.
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel}/main/0");
    Ledger::open(&Redis { url, ..Redis::default() }, STAGE, TOPIC).unwrap();
}
