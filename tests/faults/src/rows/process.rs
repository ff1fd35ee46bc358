//! What happens to our own processes.

mod blocked;
mod cage;
mod flood;
mod limits;
mod panic;
mod stopped;
mod twin;
mod wrong;

use std::time::Duration;

use crate::fire::{Fire, IN_FLIGHT};
use crate::row::Row;

pub(crate) const ROWS: &[Row] = &[
    Row::new("1", "ingest: kill -9, again and again", ingest_killed).heart(),
    Row::new("1b", "attribution: kill -9, again and again", attribution_killed).heart(),
    Row::new("1c", "every process: kill -9, all at once", all_killed).heart(),
    Row::new("2", "ingest: SIGTERM under load", ingest_stopped),
    Row::new("3", "ingest: SIGTERM while Kafka is gone", stopped::without_kafka),
    Row::new("19", "poison records", poison),
    Row::new("20", "a third is garbage", flood::flood),
    Row::alone("21", "a handler that panics at some records, killed meanwhile", panic::panics).heart(),
    Row::new("23", "reports: kill -9, again and again", reports_killed).heart(),
    Row::new("24", "a zombie: SIGSTOP beyond the session timeout, then SIGCONT", zombie).heart(),
    Row::new("25", "rebalance storm: replicas join and leave every 3 s", storm).heart(),
    Row::new("26", "workers that are blocked for a while", blocked::blocked).heart(),
    Row::new("28", "a twin with the same keys; a stranger from another Kafka", twin::twins),
    Row::not_here(
        "43",
        "clocks that step by an hour, to and fro",
        "a clock moved by LD_PRELOAD moves the deadlines of librdkafka's waits but not the waits, which no real clock does",
    ),
    Row::new("55", "postbacks: kill -9 with deliveries in flight", postbacks_killed).heart(),
    Row::new("58", "256 file descriptors, and more clients than that", limits::descriptors),
    Row::new("59", "256 MiB of memory for each process", limits::memory),
    Row::new("65", "slow and silent clients", limits::slow_clients),
    Row::new("67", "every replica replaced, one after the other", stopped::rolling),
    Row::new("68", "wrong configuration", wrong::configuration),
];

const S: Duration = Duration::from_secs(1);

/// Kills one of the two replicas, waits until work flows again, and brings it back; four times.
fn killed(fire: &mut Fire, service: &str) {
    for round in 0..4 {
        fire.run_for(S..3 * S);
        let name = if round % 2 == 0 { service.to_owned() } else { format!("{service}-2") };
        fire.suite.service(&name).kill();
        fire.broken();
        fire.flows(30 * S);
        fire.suite.service(&name).restart();
        fire.suite.ready(&name);
    }
}

fn ingest_killed(fire: &mut Fire) {
    killed(fire, "ingest");
}

fn attribution_killed(fire: &mut Fire) {
    killed(fire, "attribution");
}

fn reports_killed(fire: &mut Fire) {
    killed(fire, "reports");
}

fn postbacks_killed(fire: &mut Fire) {
    fire.allow_repeats(4 * IN_FLIGHT);
    killed(fire, "postbacks");
}

fn all_killed(fire: &mut Fire) {
    fire.allow_repeats(3 * 2 * IN_FLIGHT);
    for _ in 0..3 {
        fire.run_for(S..3 * S);
        let names: Vec<String> = fire.suite.services.keys().cloned().collect();
        names.iter().for_each(|name| fire.suite.service(name).kill());
        fire.broken();
        names.iter().for_each(|name| fire.suite.service(name).restart());
        fire.flows(40 * S);
    }
}

/// Everything under way is answered, and the process says that nothing was left.
fn ingest_stopped(fire: &mut Fire) {
    for _ in 0..3 {
        fire.run_for(S..3 * S);
        fire.suite.service("ingest").signal("TERM");
        fire.broken();
        let status = fire.suite.service("ingest").wait(30 * S);
        assert_eq!(status.code(), Some(0), "{}", fire.suite.service("ingest").log());
        fire.flows(30 * S);
        fire.suite.service("ingest").restart();
        fire.suite.ready("ingest");
    }
}

/// The load brings records that nobody can read in every row; here they are looked at.
fn poison(fire: &mut Fire) {
    fire.run_for(10 * S..15 * S);
    let refused = fire.suite.cli(&["dead", "ls", "-o", "json"]);
    assert!(refused.contains("json_syntax") && refused.contains("ts_format"), "{refused}");
    fire.broken();
    fire.flows(20 * S);
}

/// One replica of each stage's service freezes, is replaced, and wakes while another owns its partitions.
fn zombie(fire: &mut Fire) {
    fire.allow_repeats(IN_FLIGHT);
    let service = ["reports", "attribution", "postbacks"][fire.pick(3)];
    fire.note(service);
    fire.run_for(S..3 * S);
    fire.suite.service(service).signal("STOP");
    fire.broken();
    fire.flows(30 * S);
    fire.run_for(12 * S..20 * S);
    fire.suite.service(service).signal("CONT");
    fire.mended();
    fire.flows(30 * S);
    fire.run_for(3 * S..5 * S);
}

/// A third replica of each comes and goes.
fn storm(fire: &mut Fire) {
    fire.allow_repeats(6 * IN_FLIGHT);
    let before = fire.counted().unwrap_or_default();
    for round in 0..6 {
        let names = ["reports", "attribution", "postbacks"].map(|service| format!("{service}-{}", 3 + round));
        names.iter().for_each(|name| fire.suite.launch(name));
        fire.run_for(2 * S..4 * S);
        for name in &names {
            fire.suite.service(name).signal(if round % 2 == 0 { "TERM" } else { "KILL" });
            fire.suite.service(name).wait(40 * S);
            fire.suite.services.remove(name);
        }
        fire.run_for(S..2 * S);
    }
    let counted = fire.counted().unwrap_or_default().saturating_sub(before);
    fire.figure("installs counted meanwhile", counted);
    fire.mended();
    fire.flows(30 * S);
}
