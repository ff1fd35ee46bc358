//! Two suites that believe to be the same one.

use std::time::Duration;

use testkit::{Kafka, repository};

use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
const MINE: [&str; 2] = ["reports", "reports-2"];
const TWIN: &str = "reports-3";
const STRANGER: &str = "reports-4";

/// A twin in another group reads the same topics into the same keys; then one comes from another Kafka.
pub(super) fn twins(fire: &mut Fire) {
    fire.run_for(S..3 * S);
    fire.suite.set("reports", "kafka.group", "twin");
    // It may never be ready: the two fence each other for as long as there are two.
    fire.suite.launch(TWIN);
    fire.broken();
    fire.run_for(8 * S..12 * S);
    fire.flows(30 * S);
    let fights: f64 = MINE.iter().chain(&[TWIN]).map(|name| fenced(fire, name)).sum();
    assert!(fights > 0.0, "nobody saw that there are two");
    fire.figure("fenced in the fight", fights);
    end(fire, TWIN);
    fire.mended();
    fire.flows(30 * S);
    fire.suite.set("reports", "kafka.group", "reports");
    stranger(fire);
}

/// What the keys say cannot be of its own Kafka: it touches nothing.
fn stranger(fire: &mut Fire) {
    let folder = fire.suite.folder().join("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    let elsewhere = Kafka::start(folder);
    let topics = repository().join("deploy/topics.toml");
    let apply = ["topics", "apply", "--partitions", "4", "--file", topics.to_str().unwrap()];
    let applied =
        fire.suite.cli_command(&apply).env("ATTRIBUTARY__KAFKA__BROKERS", elsewhere.direct()).output().unwrap();
    assert!(applied.status.success(), "{applied:?}");
    fire.suite.set("reports", "kafka.brokers", &elsewhere.brokers());
    fire.suite.launch(STRANGER);
    fire.broken();
    fire.recovers("the stranger says that these are other topics", 60 * S, |fire| {
        let said = fire.suite.services[STRANGER].process.log() + &fire.suite.troubles(STRANGER);
        if said.contains("topic_recreated") { Ok(()) } else { Err(said.lines().last().unwrap_or_default().to_owned()) }
    });
    fire.recoveries.pop();
    fire.note("one from another Kafka stops: topic_recreated");
    fire.suite.services.remove(STRANGER);
    let own = fire.suite.kafka.brokers();
    fire.suite.set("reports", "kafka.brokers", &own);
    fire.flows(30 * S);
}

fn end(fire: &mut Fire, name: &str) {
    fire.suite.service(name).signal("TERM");
    let status = fire.suite.service(name).wait(40 * S);
    assert_eq!(status.code(), Some(0), "{}", fire.suite.service(name).log());
    fire.suite.services.remove(name);
}

fn fenced(fire: &Fire, name: &str) -> f64 {
    fire.suite.metric(name, ("attributary_recoveries_total", r#"cause="fenced""#))
}
