//! The ledger on a real Redis Cluster of three nodes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledger::{Ask, Claim, Effects, Index, Ledger, Queue, Reader, Redis, Registry, Scheduled, inspect};
use stream::{Balance, Error, Offset, Owner, Part, Partition, Sink, Work};
use support::{STAGE, TOPIC, Writer, commit, resume, stands};
use testkit::RedisCluster;

const PARTITIONS: [i32; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

fn cluster() -> (RedisCluster, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (RedisCluster::start(folder.path().to_owned()), folder)
}

fn position_key(partition: i32) -> String {
    format!("{{{STAGE}.1:{TOPIC}:{partition}}}:position")
}

/// Moves a slot with all of its keys, a few at a time.
fn move_slot(cluster: &RedisCluster, slot: u16, to: usize) {
    let from = cluster.holder(slot);
    cluster.open_slot(slot, to);
    cluster.move_all_keys(slot, (from, to));
    cluster.close_slot(slot, to);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_on_all_nodes_are_one_ledger() {
    let (cluster, _folder) = cluster();
    let redis = cluster.config();
    let written = redis.clone();
    tokio::task::spawn_blocking(move || {
        let mut ledger = Ledger::open(&written, STAGE, TOPIC).unwrap();
        assert_eq!(resume(&mut ledger, &PARTITIONS).unwrap(), [Offset(0); 12]);
        for from in 0..3 {
            commit(&mut ledger, &PARTITIONS.map(|id| (id, Offset(from)))).unwrap();
        }
        let fenced = commit(&mut ledger, &[(5, Offset(3)), (6, Offset(2))]).unwrap_err();
        assert!(matches!(fenced, Error::Fenced(_)), "{fenced}");
        ledger.check(&[(Partition::new(TOPIC, 5), Offset(4)), (Partition::new(TOPIC, 6), Offset(3))]).unwrap();
        assert!(matches!(ledger.check(&[(Partition::new(TOPIC, 5), Offset(3))]), Err(Error::Fenced(_))));
        let expected = PARTITIONS.map(|id| if id == 5 { (4, 4) } else { (3, 3) });
        assert_eq!(stands(&written, &PARTITIONS), expected);
    })
    .await
    .unwrap();

    for node in &cluster.nodes {
        let keys: u32 = node.command(&["DBSIZE"]).parse().unwrap();
        assert!(keys > 0, "{} holds nothing: this test proves nothing", node.address());
    }
    let reader = Reader::open(&redis, STAGE, TOPIC).await.unwrap();
    let seen = reader.fetch(&[Ask::HGetAll("c".into())]).await.unwrap();
    let counts: Vec<_> = seen.into_iter().map(|seen| (seen.partition, seen.position.unwrap().0)).collect();
    assert_eq!(counts, PARTITIONS.map(|id| (id, if id == 5 { 4 } else { 3 })));
    let registry = Registry::open(&redis, "postbacks").await.unwrap();
    assert_eq!(registry.first("rules", "acme", "10").await.unwrap(), "10");
    assert_eq!(registry.first("rules", "acme", "20").await.unwrap(), "10");
}

#[test]
fn a_slot_that_moves_under_load_loses_and_doubles_nothing() {
    let (cluster, _folder) = cluster();
    let redis = cluster.config();
    let done = AtomicBool::new(false);
    let failures = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut writer = Writer::open(&redis, &PARTITIONS);
            while !done.load(Ordering::Relaxed) {
                writer.step();
            }
            testkit::eventually("a step after the last move", || writer.step().then_some(()).ok_or("it failed".into()));
            writer.failures
        });
        testkit::eventually("the writer has begun", || {
            let keys = cluster.nodes.iter().map(|node| node.command(&["DBSIZE"]).parse::<u32>().unwrap()).sum::<u32>();
            if keys > 100 { Ok(()) } else { Err(format!("{keys} keys")) }
        });
        // Every partition goes once around the cluster.
        for (round, partition) in (0..3).flat_map(|round| PARTITIONS.map(|id| (round, id))) {
            let slot = cluster.slot(&position_key(partition));
            move_slot(&cluster, slot, (cluster.holder(slot) + 1 + round % 2) % 3);
        }
        done.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    for (partition, (count, position)) in PARTITIONS.into_iter().zip(stands(&redis, &PARTITIONS)) {
        assert!(position > 20, "partition {partition} came to {position} only");
        assert_eq!(count, position, "partition {partition}; failures: {failures:#?}");
    }
    let errors: String = cluster.nodes.iter().map(|node| node.command(&["INFO", "errorstats"])).collect();
    for seen in ["errorstat_ASK", "errorstat_MOVED", "errorstat_TRYAGAIN"] {
        assert!(errors.contains(seen), "the writer met no {}: this test proves nothing", &seen[10..]);
    }
}

#[test]
fn a_reshard_by_the_tool_is_survived_too() {
    let (cluster, _folder) = cluster();
    let redis = cluster.config();
    let mut writer = Writer::open(&redis, &PARTITIONS);
    while !writer.step() {}
    let mut tool = std::process::Command::new("redis-cli")
        .args(["--cluster", "reshard", &cluster.nodes[0].address(), "--cluster-from", &cluster.nodes[0].id])
        .args(["--cluster-to", &cluster.nodes[1].id, "--cluster-slots", "5461", "--cluster-yes"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut steps = 0;
    while tool.try_wait().unwrap().is_none() {
        steps += i32::from(writer.step());
    }
    assert!(steps > 10, "{steps} steps during the reshard");
    testkit::eventually("it goes on", || writer.step().then_some(()).ok_or("it failed".into()));
    let emptied: u32 = cluster.nodes[0].command(&["DBSIZE"]).parse().unwrap();
    assert_eq!(emptied, 0, "the first node gave all of its slots away");
    for (count, position) in stands(&redis, &PARTITIONS) {
        assert_eq!(count, position, "failures: {:#?}", writer.failures);
    }
}

#[test]
fn while_a_slot_is_open_nothing_stored_is_taken_for_nothing() {
    let (cluster, _folder) = cluster();
    let mut ledger = Ledger::open(&cluster.config(), STAGE, TOPIC).unwrap();
    resume(&mut ledger, &[0]).unwrap();
    commit(&mut ledger, &[(0, Offset(0))]).unwrap();
    let position = position_key(0);
    let slot = cluster.slot(&position);
    let (from, to) = (cluster.holder(slot), (cluster.holder(slot) + 1) % 3);
    cluster.open_slot(slot, to);
    for keys in [Vec::new(), vec![position.as_str()]] {
        if !keys.is_empty() {
            cluster.move_keys(&keys, (from, to));
        }
        assert!(matches!(resume(&mut ledger, &[0]), Err(Error::Transient(_))), "with {keys:?} moved");
        ledger.check(&[(Partition::new(TOPIC, 0), Offset(1))]).unwrap();
    }
    let error = commit(&mut ledger, &[(0, Offset(1))]).unwrap_err().to_string();
    assert!(error.contains("is moving to another node"), "{error}");
    let keys = cluster.keys(from, slot, 100);
    cluster.move_keys(&keys.iter().map(String::as_str).collect::<Vec<_>>(), (from, to));
    cluster.close_slot(slot, to);
    assert_eq!(resume(&mut ledger, &[0]).unwrap(), [Offset(1)]);
    commit(&mut ledger, &[(0, Offset(1))]).unwrap();
    assert_eq!(stands(&cluster.config(), &[0]), [(2, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_at_the_other_node_is_not_taken_off_the_schedule() {
    let (cluster, _folder) = cluster();
    let redis = cluster.config();
    let written = redis.clone();
    tokio::task::spawn_blocking(move || schedule(&written)).await.unwrap();
    let queue = Queue::open(&redis, STAGE, TOPIC).await.unwrap();
    let claim = |now_ms| Claim { now_ms, lease_until_ms: now_ms + 100, limit: 10 };

    let due = format!("{{{STAGE}.1:{TOPIC}:0}}:due:acme");
    let slot = cluster.slot(&due);
    let (from, to) = (cluster.holder(slot), (cluster.holder(slot) + 1) % 3);
    cluster.open_slot(slot, to);
    cluster.move_keys(&[&due], (from, to));
    queue.claim(0, "acme", claim(50)).await.unwrap_err();
    assert_eq!(queue.pending(0, "acme").await.unwrap(), 1);

    let keys = cluster.keys(from, slot, 100);
    cluster.move_keys(&keys.iter().map(String::as_str).collect::<Vec<_>>(), (from, to));
    cluster.close_slot(slot, to);
    let claimed = queue.claim(0, "acme", claim(200)).await.unwrap();
    assert_eq!(claimed.iter().map(|delivery| delivery.id.as_str()).collect::<Vec<_>>(), ["one"]);
    queue.retry((0, "acme"), &claimed[0], (300, false)).await.unwrap();
    queue.claim(0, "acme", claim(300)).await.unwrap();
    queue.finish(0, "acme", "one").await.unwrap();
    assert!(queue.endpoints(0).await.unwrap().is_empty());
}

fn schedule(redis: &Redis) {
    let mut ledger = Ledger::open(redis, STAGE, TOPIC).unwrap();
    let from = resume(&mut ledger, &[0]).unwrap()[0];
    let mut output = Effects::default();
    output.schedule(Scheduled { id: "one", endpoint: "acme", due_ms: 10, body: b"{}" });
    let part = Part { partition: Partition::new(TOPIC, 0), from, next: Offset(1), output, balance: Balance::new(from) };
    ledger.commit(Work { owner: &Owner::default(), parts: vec![part] }).unwrap();
}

#[test]
fn a_node_that_lost_its_scripts_costs_one_recovery() {
    let (cluster, _folder) = cluster();
    let redis = cluster.config();
    let mut writer = Writer::open(&redis, &PARTITIONS);
    let mut index = Index::open(&redis, STAGE, TOPIC).unwrap();
    for round in 1..=3 {
        assert!(writer.step(), "{:?}", writer.failures);
        cluster.nodes[round % 3].command(&["SCRIPT", "FLUSH"]);
        assert!(!writer.step(), "a script was flushed");
        assert!(writer.step(), "{:?}", writer.failures);
        assert_eq!(writer.failures.len(), round, "{:?}", writer.failures);
        assert!(writer.failures[round - 1].contains("NoScript"), "{:?}", writer.failures);
        index.fetch(&PARTITIONS, &[]).unwrap();
    }
}

#[test]
fn a_node_that_is_killed_or_hangs_stops_the_writer_and_harms_nothing() {
    let (mut cluster, _folder) = cluster();
    let redis = Redis { response_timeout: Duration::from_millis(500), ..cluster.config() };
    let mut writer = Writer::open(&redis, &PARTITIONS);
    assert!(writer.step(), "{:?}", writer.failures);
    for kill in [true, false] {
        if kill {
            cluster.nodes[1].process.kill();
        } else {
            cluster.nodes[1].process.signal("STOP");
        }
        assert!(!writer.step(), "a node is gone");
        assert!(!writer.step(), "a node is gone");
        if kill {
            cluster.nodes[1].process.restart();
        } else {
            cluster.nodes[1].process.signal("CONT");
        }
        testkit::eventually("it goes on", || writer.step().then_some(()).ok_or("it failed".into()));
    }
    for (count, position) in stands(&cluster.config(), &PARTITIONS) {
        assert_eq!(count, position, "failures: {:#?}", writer.failures);
    }
}

#[test]
fn one_node_that_may_evict_is_found_and_refused() {
    let (cluster, _folder) = cluster();
    let facts = inspect(&cluster.config()).unwrap();
    let addresses: Vec<_> = facts.iter().map(|facts| facts.address.clone()).collect();
    let mut expected: Vec<_> = cluster.nodes.iter().map(|node| node.address()).collect();
    expected.sort_unstable();
    assert_eq!(addresses, expected);
    assert!(facts.iter().all(|facts| facts.append_only && facts.loads_truncated == Some(false)), "{facts:?}");

    cluster.nodes[2].command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let Err(Error::Fatal { exit_code: 78, cause }) = Ledger::open(&cluster.config(), STAGE, TOPIC) else {
        panic!("it was accepted")
    };
    let expected = format!("redis at {} has maxmemory-policy allkeys-lru", cluster.nodes[2].address());
    assert!(cause.to_string().contains(&expected), "{cause}");
}

#[test]
fn a_cluster_and_a_single_server_are_not_taken_for_each_other() {
    let (cluster, folder) = cluster();
    let single = testkit::Redis::start(folder.path().to_owned());
    for (url, says) in [
        (format!("redis://{}/0", cluster.nodes[0].address()), "is a node of a cluster: write redis+cluster://"),
        (format!("redis+cluster://127.0.0.1:{}", single.port), "is not a cluster: write redis://"),
    ] {
        let redis = Redis { url: url.clone(), ..Redis::default() };
        match Ledger::open(&redis, STAGE, TOPIC) {
            Err(Error::Fatal { exit_code: 78, cause }) => assert!(cause.to_string().contains(says), "{url}: {cause}"),
            Err(error) => panic!("{url}: {error}"),
            Ok(_) => panic!("{url} was accepted"),
        }
    }
}
