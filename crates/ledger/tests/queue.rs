//! Deliveries on a real Redis: leased, retried, removed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use ledger::{Claim, Claimed, Effects, Ledger, Queue, Registry, Scheduled};
use stream::{Balance, Offset, Owner, Part, Partition, Sink, Standing, Work};
use testkit::Redis;

const STAGE: &str = "postbacks.installs";
const TOPIC: &str = "installs";
const ENDPOINT: &str = "acme";

/// Schedules one delivery per id, due at its number of milliseconds.
fn schedule(redis: &Redis, due: &[(&str, i64)]) {
    let mut ledger = Ledger::open(&redis.config(), STAGE, TOPIC).unwrap();
    let partition = Partition::new(TOPIC, 0);
    let standing = Standing {
        partition: partition.clone(),
        committed: None,
        metadata: String::new(),
        first: Offset(0),
        end: Offset(9),
    };
    let from = ledger.resume(&[standing]).unwrap()[0].position;
    let mut output = Effects::default();
    for &(id, due_ms) in due {
        output.schedule(Scheduled { id, endpoint: ENDPOINT, due_ms, body: id.as_bytes() });
    }
    let part = Part { partition, from, next: Offset(from.0 + 1), output, balance: Balance::new(from) };
    ledger.commit(Work { owner: &Owner::default(), parts: vec![part] }).unwrap();
}

fn at(now_ms: i64) -> Claim {
    Claim { now_ms, lease_until_ms: now_ms + 100, limit: 10 }
}

fn claimed(id: &str, (attempt, recorded): (u32, u32), due_ms: i64) -> Claimed {
    Claimed { id: id.into(), attempt, recorded, has_gap: false, due_ms, body: id.as_bytes().to_vec() }
}

#[tokio::test]
async fn a_delivery_is_leased_retried_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path().to_owned());
    schedule(&redis, &[("one", 10), ("two", 20)]);
    let queue = Queue::open(&redis.config(), STAGE, TOPIC).await.unwrap();
    assert_eq!(queue.endpoints(0).await.unwrap(), [ENDPOINT]);
    assert_eq!(queue.pending(0, ENDPOINT).await.unwrap(), 2);

    assert_eq!(queue.claim(0, ENDPOINT, at(9)).await.unwrap(), [], "nothing is due yet");
    assert_eq!(queue.claim(0, ENDPOINT, at(15)).await.unwrap(), [claimed("one", (1, 0), 10)]);
    assert_eq!(queue.claim(0, ENDPOINT, at(15)).await.unwrap(), [], "it is leased");
    // The lease ended without an outcome: the claimer died, and may have sent it.
    assert_eq!(
        queue.claim(0, ENDPOINT, at(116)).await.unwrap(),
        [claimed("two", (1, 0), 20), claimed("one", (2, 0), 115)]
    );

    queue.retry((0, ENDPOINT), &claimed("one", (1, 0), 10), (150, false)).await.unwrap();
    assert_eq!(queue.claim(0, ENDPOINT, at(151)).await.unwrap(), [], "the outcome of a lost lease moves nothing");
    queue.retry((0, ENDPOINT), &claimed("one", (2, 0), 115), (150, true)).await.unwrap();
    let third = Claimed { has_gap: true, ..claimed("one", (3, 2), 150) };
    assert_eq!(queue.claim(0, ENDPOINT, at(151)).await.unwrap(), std::slice::from_ref(&third));
    queue.retry((0, ENDPOINT), &third, (160, false)).await.unwrap();
    let fourth = Claimed { has_gap: true, ..claimed("one", (4, 3), 160) };
    assert_eq!(queue.claim(0, ENDPOINT, at(161)).await.unwrap(), [fourth], "a gap stays one");

    queue.finish(0, ENDPOINT, "one").await.unwrap();
    assert_eq!(queue.endpoints(0).await.unwrap(), [ENDPOINT]);
    queue.finish(0, ENDPOINT, "two").await.unwrap();
    assert!(queue.endpoints(0).await.unwrap().is_empty());
    assert_eq!(queue.claim(0, ENDPOINT, at(9_000)).await.unwrap(), []);
}

/// Nothing is forgotten of the attempt before it: that one may have reached the endpoint.
#[tokio::test]
async fn a_claim_that_is_given_back_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path().to_owned());
    schedule(&redis, &[("one", 10)]);
    let queue = Queue::open(&redis.config(), STAGE, TOPIC).await.unwrap();
    let first = queue.claim(0, ENDPOINT, at(15)).await.unwrap();
    let second = queue.claim(0, ENDPOINT, at(116)).await.unwrap();
    queue.give_back((0, ENDPOINT), &first[0]).await.unwrap();
    assert_eq!(queue.claim(0, ENDPOINT, at(117)).await.unwrap(), [], "a later claim holds it");
    queue.give_back((0, ENDPOINT), &second[0]).await.unwrap();
    assert_eq!(queue.claim(0, ENDPOINT, at(118)).await.unwrap(), second);
}

#[tokio::test]
async fn what_is_scheduled_already_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path().to_owned());
    schedule(&redis, &[("one", 10)]);
    let queue = Queue::open(&redis.config(), STAGE, TOPIC).await.unwrap();
    queue.claim(0, ENDPOINT, at(15)).await.unwrap();
    schedule(&redis, &[("one", 10)]);
    assert_eq!(queue.claim(0, ENDPOINT, at(16)).await.unwrap(), [], "the lease holds");
}

#[tokio::test]
async fn the_first_note_stands() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path().to_owned());
    let registry = Registry::open(&redis.config(), "postbacks").await.unwrap();
    assert_eq!(registry.first("rules", "acme", "10").await.unwrap(), "10");
    assert_eq!(registry.first("rules", "acme", "20").await.unwrap(), "10");
}
