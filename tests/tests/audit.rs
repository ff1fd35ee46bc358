//! The balances of the whole suite beside the log: equal while everything is killed, and not once somebody meddles.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use e2e::produce;
use serde_json::Value;
use stream::{Outgoing, Producer};
use testkit::{Receiver, Suite, eventually_within};

const SERVICES: [&str; 4] = ["ingest", "attribution", "reports", "postbacks"];
const PARTITIONS: usize = 4;

/// What the audit says: its exit code, its lines, and its last words.
fn audit(suite: &Suite, more: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let reports = suite.url("reports");
    let arguments = [&["audit", "-o", "json", "--reports", &reports][..], more].concat();
    let output = suite.cli_command(&arguments).output().unwrap();
    let lines = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), lines, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn expect_equal(suite: &Suite) -> Vec<Value> {
    let (code, lines, said) = audit(suite, &[]);
    let odd: Vec<&Value> = lines.iter().filter(|line| line["verdict"] != "equal").collect();
    assert!(code == Some(0) && odd.is_empty(), "{code:?} {said}\n{odd:#?}");
    lines
}

/// It must end with 1 and name this stage and partition, and no other.
fn expect_different(suite: &Suite, place: &str) {
    let (code, _, said) = audit(suite, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.trim_end().ends_with(&format!("balances differ: {place}")), "{said}");
}

fn sum(lines: &[Value], stage: &str, of: &str) -> u64 {
    lines.iter().filter(|line| line["stage"] == stage).map(|line| line[of].as_u64().unwrap()).sum()
}

/// Records that are refused: by both services that read `activity`, and by all three that read `installs`.
fn produce_broken_records(producer: &Producer) {
    let broken = |topic: &str, number: i32| Outgoing::to(topic, "no json").partition(number % 4);
    produce(producer, (0..10).flat_map(|number| [broken("activity", number), broken("installs", number)]).collect());
}

#[test]
fn balances_equal_the_log_through_kill_9_and_whatever_is_changed_by_hand_is_named() {
    let receiver = Receiver::start();
    let mut suite = Suite::start();
    let rules = suite.rules(&receiver.rules(&["acme_ads"]));
    for service in SERVICES {
        suite.run(service);
    }
    let producer = Producer::open(&suite.kafka.config(), "meddler").unwrap();
    let truth = suite.folder().join("truth.json").to_str().unwrap().to_owned();
    let (url, reports) = (suite.url("ingest"), suite.url("reports"));
    let arguments = ["simulate", "--count", "30000", "--rate", "1000", "--to", &url, "--truth", &truth];
    let options = ["--seed", "11", "--duplicates", "0.03", "--rules", rules.to_str().unwrap(), "--links", "0"];
    let mut simulation = suite.cli_command(&[&arguments[..], &options[..]].concat()).spawn().unwrap();
    eventually_within(Duration::from_secs(60), "the first decisions are published", || {
        let (_, lines, said) = audit(&suite, &[]);
        if sum(&lines, "attribution.decide", "out") > 0 { Ok(()) } else { Err(said) }
    });
    produce_broken_records(&producer);
    for _ in 0..2 {
        for service in SERVICES {
            suite.service(service).kill();
            suite.service(service).restart();
        }
        for service in SERVICES {
            suite.ready(service);
        }
        expect_equal(&suite); // under load: positions move while it reads
    }
    assert!(simulation.wait().unwrap().success());
    suite.cli(&["verify", "--truth", &truth, "--reports", &reports, "--wait", "120s", "--deliveries"]);

    let lines = expect_equal(&suite);
    assert_eq!(lines.len(), 8 * PARTITIONS);
    for stage in ["attribution.decide", "attribution.record", "reports.installs", "postbacks.installs"] {
        assert_eq!(sum(&lines, stage, "refused"), 10, "{stage}");
    }
    assert_eq!(sum(&lines, "attribution.remember", "refused"), 0);
    for (stage, counted) in
        [("attribution.decide", "repeated"), ("attribution.decide", "out"), ("postbacks.installs", "out")]
    {
        assert!(sum(&lines, stage, counted) > 0, "{stage} {counted}");
    }

    let stores = suite.redis.command(&["KEYS", "{reports.installs.1:installs:2}:c:*"]);
    let key = stores.lines().next().unwrap();
    let fields = suite.redis.command(&["HKEYS", key]);
    let field = fields.lines().find(|field| field.starts_with("installs")).unwrap();
    suite.redis.command(&["HINCRBY", key, field, "1"]);
    expect_different(&suite, "reports.installs installs/2");
    suite.redis.command(&["HINCRBY", key, field, "-1"]);
    expect_equal(&suite);

    let forged = r#"{"event_id":"forged","app_id":"a","event_time":"2026-11-22T10:00:00Z","event_name":"n"}"#;
    produce(&producer, vec![Outgoing::to("events", forged).partition(3).header("src", "activity/1/0")]);
    expect_different(&suite, "attribution.decide activity/1");

    for missing in
        [["--redis", "redis://127.0.0.1:1/0"], ["--kafka", "127.0.0.1:1"], ["--reports", "http://127.0.0.1:1"]]
    {
        let output = suite.cli_command(&[&["audit"][..], &missing].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(69), "{missing:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_retention_removed_is_not_checkable_and_no_difference() {
    let mut suite = Suite::start();
    suite.run("reports");
    let producer = Producer::open(&suite.kafka.config(), "installs").unwrap();
    let install = |number: i32| {
        Outgoing::to("installs", testkit::sample::install(&number.to_string(), "acme").to_string())
            .partition(number % 4)
    };
    produce(&producer, (0..40).map(install).collect());
    eventually_within(Duration::from_secs(60), "everything is taken", || {
        let lines = expect_equal(&suite);
        let taken = sum(&lines, "reports.installs", "taken");
        if taken == 40 { Ok(()) } else { Err(format!("{taken} of 40")) }
    });
    suite.kafka.delete_records("installs", 1, 4);
    let (code, lines, said) = audit(&suite, &[]);
    assert_eq!(code, Some(0), "{said}");
    let odd: Vec<&Value> = lines.iter().filter(|line| line["verdict"] != "equal").collect();
    assert_eq!(odd.len(), 1, "{odd:#?}");
    assert_eq!((&odd[0]["stage"], &odd[0]["partition"]), (&Value::from("reports.installs"), &Value::from(1)));
    assert_eq!(odd[0]["findings"][0]["note"], "not checkable before offset 4 of installs");
}

#[test]
fn a_canary_comes_out_within_its_deadline_and_is_counted_apart() {
    let mut suite = Suite::start();
    for service in &SERVICES[..3] {
        suite.run(service);
    }
    let (ingest, reports) = (suite.url("ingest"), suite.url("reports"));
    suite.set("canary", "canary.ingest", &ingest);
    suite.set("canary", "canary.reports", &reports);
    suite.set("canary", "canary.every", "7s");
    suite.set("canary", "canary.deadline", "20s");
    suite.run("canary");
    let day = "from=2026-11-01&to=2027-11-30&metrics=installs&granularity=total&group_by=media_source";
    let apart = suite.ask("reports", &format!("/v1/stats?{day}&test=true"));
    assert_eq!(apart["rows"][0]["media_source"], "attributary_canary");
    assert_eq!(suite.ask("reports", &format!("/v1/stats?{day}"))["totals"]["installs"], 0);
    for until in ["acknowledged", "decided", "visible"] {
        assert!(suite.metrics("canary").contains(&format!("canary_seconds_count{{until=\"{until}\"}}")), "{until}");
    }

    suite.service("attribution").kill();
    eventually_within(Duration::from_secs(60), "it is missed", || {
        let troubles = suite.troubles("canary");
        if troubles.contains("was not decided within 20s") { Ok(()) } else { Err(troubles) }
    });
    assert!(suite.metrics("canary").contains("canary_lost_total{until=\"decided\"}"));
    suite.service("attribution").restart();
    suite.ready("canary");
}
