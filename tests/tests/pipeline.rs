//! The whole way through: clicks and installs over HTTP, through all four services, while every one of them is killed,
//! joined and left. The simulator knows the truth; `verify` compares every dimension with it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::process::{Child, ExitStatus};
use std::time::Duration;

use testkit::{Receiver, Suite, eventually_within};

const SERVICES: [&str; 4] = ["ingest", "attribution", "reports", "postbacks"];
const MEDIA_SOURCES: [&str; 3] = ["acme_ads", "bluebird_social", "cobalt_search"];

struct Simulation {
    child: Child,
    truth: String,
}

impl Simulation {
    /// Starts the simulator against `ingest`.
    fn start(suite: &Suite, count: usize, rate: usize, rules: &str) -> Self {
        let truth = suite.folder().join("truth.json").to_str().unwrap().to_owned();
        let (count, rate, url) = (count.to_string(), rate.to_string(), suite.url("ingest"));
        let arguments = ["simulate", "--count", &count, "--rate", &rate, "--to", &url, "--truth", &truth];
        let options = ["--seed", "7", "--duplicates", "0.03", "--rules", rules, "--links", "0"];
        let child = suite.cli_command(&[&arguments[..], &options[..]].concat()).spawn().unwrap();
        Self { child, truth }
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn wait(mut self) -> (ExitStatus, String) {
        (self.child.wait().unwrap(), self.truth)
    }
}

/// The counts and the deliveries are those of the truth.
fn verify(suite: &Suite, truth: &str) {
    let reports = suite.url("reports");
    println!("{}", suite.cli(&["verify", "--truth", truth, "--reports", &reports, "--wait", "180s", "--deliveries"]));
}

#[test]
fn nothing_is_lost_or_counted_twice_while_every_service_is_killed_five_times() {
    let receiver = Receiver::start();
    let mut suite = Suite::start();
    let rules = suite.rules(&receiver.rules(&MEDIA_SOURCES));
    for service in SERVICES {
        suite.run(service);
    }
    let mut simulation = Simulation::start(&suite, 100_000, 1_400, rules.to_str().unwrap());
    for round in 0..5 {
        for service in SERVICES {
            assert!(simulation.is_running(), "the simulation ended before round {round} of killing {service}");
            suite.service(service).kill();
            suite.service(service).restart();
        }
        for service in SERVICES {
            suite.ready(service);
        }
    }
    let (status, truth) = simulation.wait();
    assert!(status.success(), "the simulator: {status}");
    verify(&suite, &truth);
}

#[test]
fn replicas_share_the_work_join_and_leave_under_load() {
    let receiver = Receiver::start();
    let mut suite = Suite::start();
    let rules = suite.rules(&receiver.rules(&MEDIA_SOURCES));
    for service in SERVICES {
        suite.run(service);
        if service != "ingest" {
            suite.run(&format!("{service}-2"));
        }
    }
    let mut simulation = Simulation::start(&suite, 30_000, 1_000, rules.to_str().unwrap());
    for service in &SERVICES[1..] {
        suite.run(&format!("{service}-3"));
    }
    for service in &SERVICES[1..] {
        let leaver = format!("{service}-2");
        suite.service(&leaver).signal("TERM");
        let status = suite.service(&leaver).wait(Duration::from_secs(40));
        assert!(status.success(), "{leaver} left with {status}");
    }
    assert!(simulation.is_running(), "the load ended before the replicas had come and gone");
    let (status, truth) = simulation.wait();
    assert!(status.success(), "the simulator: {status}");
    verify(&suite, &truth);
    for service in &SERVICES[1..] {
        for replica in [service.to_string(), format!("{service}-3")] {
            assert!(suite.records_of(&replica) > 0, "{replica} took no part");
        }
    }
}

#[test]
fn an_endpoint_that_was_down_gets_everything_once_and_the_others_never_notice() {
    let receiver = Receiver::start();
    let mut suite = Suite::start();
    let rules = suite.rules(&receiver.rules(&MEDIA_SOURCES));
    for service in SERVICES {
        suite.run(service);
    }
    receiver.answer("acme_ads", 503);
    let simulation = Simulation::start(&suite, 6_000, 500, rules.to_str().unwrap());
    let (status, truth) = simulation.wait();
    assert!(status.success(), "the simulator: {status}");
    // The others have everything while acme still answers 503.
    eventually_within(Duration::from_secs(60), "the others are told", || {
        let refused = receiver.hits("acme_ads").len();
        let others: Vec<usize> = MEDIA_SOURCES[1..].iter().map(|source| receiver.hits(source).len()).collect();
        let told = refused > 0 && expected(&truth)[1..] == others[..];
        if told {
            Ok(())
        } else {
            Err(format!("acme refused {refused}, the others got {others:?} of {:?}", expected(&truth)))
        }
    });
    receiver.answer("acme_ads", 200);
    verify(&suite, &truth);
    for (source, expected) in MEDIA_SOURCES.iter().zip(expected(&truth)) {
        let accepted: Vec<String> =
            receiver.hits(source).into_iter().filter(|hit| hit.status == 200).map(|hit| hit.query).collect();
        let distinct: std::collections::BTreeSet<&String> = accepted.iter().collect();
        assert_eq!((accepted.len(), distinct.len()), (expected, expected), "{source} is told once of each");
    }
}

/// How many deliveries each media source must get.
fn expected(truth: &str) -> Vec<usize> {
    let truth: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(truth).unwrap()).unwrap();
    let of = |source: &&str| truth["deliveries"][format!("{source}-installs")].as_u64().unwrap_or_default();
    MEDIA_SOURCES.iter().map(|source| usize::try_from(of(source)).unwrap()).collect()
}
