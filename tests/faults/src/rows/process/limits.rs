//! Processes that are given too little, or asked for too much.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::Rng as _;
use rand::distr::{Alphanumeric, SampleString as _};
use serde_json::{Value, json};

use super::cage::Cage;
use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
const DESCRIPTORS: usize = 256;
const SLOW: usize = 1_500;
/// Requests of about half a mebibyte, begun while Kafka stands still.
const BULKS: usize = 100;

/// Every process may open 256 descriptors, and more clients come than that.
pub(super) fn descriptors(fire: &mut Fire) {
    fire.run_for(S..2 * S);
    let names: Vec<String> = fire.suite.services.keys().cloned().collect();
    for name in &names {
        let process = fire.suite.service(name).id().to_string();
        must("prlimit", &["--pid", &process, &format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}")]);
    }
    allow_many_descriptors();
    fire.broken();
    let doors: Vec<u16> = fire.suite.services.values().flat_map(|replica| [replica.http, replica.admin]).collect();
    let end = Instant::now() + fire.random.random_range(6 * S..10 * S);
    let mut clients = Vec::new();
    while Instant::now() < end {
        clients.clear();
        // Some doors belong to nobody: their service has none.
        clients.extend(doors.iter().flat_map(|&port| (0..DESCRIPTORS + 50).map_while(move |_| connect(port))));
        fire.run_for(S..2 * S);
    }
    fire.figure("clients at once", clients.len());
    drop(clients);
    fire.mended();
    fire.flows(30 * S);
    for name in &names {
        assert!(!fire.suite.service(name).log().contains("panicked"), "{name} panicked");
        fire.suite.ready(name);
    }
}

/// Clients that send a byte now and then, and clients that send nothing: whoever comes behind them is served.
pub(super) fn slow_clients(fire: &mut Fire) {
    fire.run_for(S..2 * S);
    allow_many_descriptors();
    let door = fire.suite.services["ingest"].http;
    let before = latencies(fire, 40);
    fire.broken();
    let mut slow: Vec<TcpStream> = Vec::new();
    let mut during = Vec::new();
    let end = Instant::now() + fire.random.random_range(10 * S..15 * S);
    while Instant::now() < end {
        while slow.len() < SLOW
            && let Some(client) = connect(door)
        {
            slow.push(client);
        }
        // One in three begins a request and never ends it. Those that were cut off make room for others.
        slow.iter_mut().step_by(3).for_each(|client| drop(client.write_all(b"POST /v1/events HTTP/1.1\r\nx")));
        during.extend(latencies(fire, 5));
        let random = &mut fire.random;
        slow.retain(|_| random.random_ratio(9, 10));
    }
    fire.figure("idle and slow clients", SLOW);
    fire.figure("ms to an answer (p99 before, meanwhile)", format!("{}, {}", p99(before), p99(during.clone())));
    assert!(p99(during) < 2_000, "a new client waits too long");
    drop(slow);
    fire.mended();
    fire.flows(20 * S);
}

/// Each process has 256 MiB. Kafka stands still while requests pile up; then Redis; then there is a backlog to read.
pub(super) fn memory(fire: &mut Fire) {
    let names: Vec<String> = fire.suite.services.keys().cloned().collect();
    let folder = fire.suite.folder();
    let run = folder.file_name().unwrap().to_string_lossy(); // others may run beside it
    let mut cages = Vec::new();
    for name in &names {
        let service = name.split('-').next().unwrap_or(name).to_owned();
        let Some(cage) = Cage::make(&format!("{run}-{name}")) else {
            fire.note("no cgroup can be made here: the greatest resident memory is measured instead");
            break;
        };
        fire.suite.through(&service, &cage.wrapper());
        fire.suite.service(name).signal("TERM");
        fire.suite.service(name).wait(40 * S);
        fire.suite.run(name);
        fire.suite.through(&service, &[]);
        cages.push(cage);
    }
    fire.broken();
    fire.flows(30 * S);
    let bulks = pile_up(fire);
    fire.suite.kafka.node(1).process.signal("CONT");
    for mut bulk in bulks {
        bulk.wait().unwrap();
    }
    fire.suite.redis.process.signal("STOP");
    fire.run_for(6 * S..9 * S);
    fire.suite.redis.process.signal("CONT");
    fire.mended();
    fire.flows(60 * S);
    for name in &names {
        fire.suite.ready(name);
        let peak = fire.suite.services[name].process.peak().unwrap_or_default() >> 20;
        assert!(peak <= 256, "{name} had {peak} MiB");
    }
    let kills: u64 = cages.iter().map(Cage::kills).sum();
    assert_eq!(kills, 0, "killed for memory");
    fire.figure("processes in a cgroup of 256 MiB", cages.len());
}

/// Bodies that wait for a Kafka that is frozen.
fn pile_up(fire: &mut Fire) -> Vec<Child> {
    fire.run_for(S..2 * S);
    fire.suite.kafka.node(1).process.signal("STOP");
    let doors = ["ingest", "ingest-2"].map(|name| format!("{}/v1/events", fire.suite.url(name)));
    let file = fire.suite.folder().join("bulk.json");
    let bulks = (0..BULKS).map(|number| {
        std::fs::write(&file, bulk(fire, number).to_string()).unwrap();
        let child = post(&doors[number % 2], file.to_str().unwrap());
        // The file is read before it is written again.
        fire.run_for(S / 20..S / 10);
        child
    });
    let bulks = bulks.collect();
    fire.run_for(3 * S..5 * S);
    bulks
}

fn bulk(fire: &mut Fire, number: usize) -> Value {
    let mut view = |index: usize| {
        let id = format!("bulk-{number}-{index}");
        let noise = Alphanumeric.sample_string(&mut fire.random, 10_000);
        json!({ "event_id": id, "kind": "impression", "app_id": "com.example.game", "media_source": "bulk",
                "extra": { "noise": noise } })
    };
    Value::Array((0..50).map(&mut view).collect())
}

fn post(door: &str, file: &str) -> Child {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "40", "-H", "content-type: application/json", "-H", "expect:"]);
    curl.args(["--data-binary", &format!("@{file}"), door]);
    curl.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Milliseconds from the connection to the answer, of clients that are quick.
fn latencies(fire: &Fire, of: usize) -> Vec<u128> {
    let url = format!("{}/v1/events", fire.suite.url("ingest"));
    let ask = |_| {
        let started = Instant::now();
        let output = Command::new("curl").args(["-sS", "--max-time", "10", "-o", "/dev/null", &url]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        started.elapsed().as_millis()
    };
    (0..of).map(ask).collect()
}

fn p99(mut sorted: Vec<u128>) -> u128 {
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default()
}

fn connect(port: u16) -> Option<TcpStream> {
    TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), S / 4).ok()
}

/// For the clients that this process is; where it may not, there are fewer of them.
fn allow_many_descriptors() {
    let process = std::process::id().to_string();
    Command::new("prlimit").args(["--pid", &process, "--nofile=10000:"]).stderr(Stdio::null()).status().unwrap();
}

fn must(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
