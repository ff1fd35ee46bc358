//! Coordinators, groups and transactions.

use std::time::Duration;

use event::topic;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, TopicPartitionList};
use testkit::eventually_within;

use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(10);
const DECIDE: &str = "attribution.decide";
/// Of `kafka.sh`.
const COORDINATORS: i32 = 4;

/// The node that coordinates a stage's group, and after it the one that coordinates its transactions.
pub(super) fn coordinator_restarted(fire: &mut Fire) {
    let stage =
        *["reports.installs", DECIDE, "attribution.remember", "postbacks.installs"].choose(&mut fire.random).unwrap();
    for internal in ["__consumer_offsets", "__transaction_state"] {
        fire.run_for(2 * S..4 * S);
        let id = fire.suite.kafka.leader(internal, home_of(stage)).unwrap();
        fire.note(format!("node {id} coordinates {stage} ({internal})"));
        fire.suite.kafka.node(id).process.kill();
        fire.broken();
        fire.run_for(S / 10..6 * S);
        fire.suite.kafka.node(id).process.restart();
        fire.flows(40 * S);
        fire.suite.kafka.wait_in_sync();
    }
}

/// The partition in which Kafka keeps what belongs to a name: Java's hash of it.
fn home_of(name: &str) -> i32 {
    let hash = name.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    (hash & i32::MAX) % COORDINATORS
}

/// Somebody begins a transaction on `installs` and never ends it. Nothing behind it can be read; when it is clear that it
/// hangs, the readers say so; and when the brokers have ended it, all goes on.
pub(super) fn foreign_transaction(fire: &mut Fire) {
    fire.run_for(2 * S..4 * S);
    let partition = fire.random.random_range(0..4);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", fire.suite.kafka.direct())
        .set("transactional.id", "somebody-else")
        .set("transaction.timeout.ms", "45000")
        .create()
        .unwrap();
    producer.init_transactions(ANSWER).unwrap();
    producer.begin_transaction().unwrap();
    let record = BaseRecord::<str, str>::to(topic::INSTALLS).partition(partition).payload("never committed");
    producer.send(record).unwrap();
    producer.flush(ANSWER).unwrap();
    fire.broken();
    eventually_within(43 * S, "reports says that a transaction hangs", || {
        let said = ["reports", "reports-2"].map(|name| fire.suite.troubles(name)).join(" ");
        if said.contains(&format!("installs/{partition}: a transaction hangs")) { Ok(()) } else { Err(said) }
    });
    fire.note("named in /readyz");
    // The brokers look for such transactions every 10 s.
    fire.flows(60 * S);
    drop(producer);
}

/// The offsets of `decide` are gone: it does not guess. Given back, it goes on where it was.
pub(super) fn forgotten(fire: &mut Fire) {
    fire.run_for(3 * S..5 * S);
    for name in ["attribution", "attribution-2"] {
        fire.suite.service(name).signal("TERM");
        assert!(fire.suite.service(name).wait(40 * S).success());
    }
    fire.broken();
    let group = member_of(fire);
    let mut positions = TopicPartitionList::new();
    positions.add_partition_range(topic::ACTIVITY, 0, 3);
    let positions = group.committed_offsets(positions, ANSWER).unwrap();
    fire.suite.kafka.forget_group(DECIDE);
    let log = fire.suite.service("attribution").log().len();
    fire.suite.service("attribution").restart();
    let status = fire.suite.service("attribution").wait(60 * S);
    let said = fire.suite.service("attribution").log().split_off(log);
    assert_eq!(status.code(), Some(78), "{said}");
    assert!(said.contains("position_lost") && said.contains(DECIDE), "{said}");
    fire.note("exit 78, position_lost");
    eventually_within(30 * S, "the offsets are given back", || {
        group.commit(&positions, CommitMode::Sync).map_err(|error| error.to_string())
    });
    for name in ["attribution", "attribution-2"] {
        fire.suite.service(name).restart();
        fire.suite.ready(name);
    }
    fire.mended();
    fire.flows(40 * S);
}

/// A client that speaks for the group without joining it.
fn member_of(fire: &Fire) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", fire.suite.kafka.direct()).set("group.id", DECIDE);
    config.set("enable.auto.commit", "false").create().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_hash_that_java_gives_it() {
        assert_eq!((home_of("a"), home_of("ab"), home_of("")), (97 % 4, 3_105 % 4, 0));
    }
}
