//! Clocks that are wrong, and clocks that step.

use std::path::Path;
use std::time::Duration;

use rand::seq::SliceRandom as _;

use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
/// Not ingest: its clock is the time of what it is sent, and says in which order a click and an install came.
const WITH_CLOCK: [&str; 3] = ["attribution", "reports", "postbacks"];
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// The clocks of everybody behind Kafka step by an hour, to and fro.
pub(super) fn steps(fire: &mut Fire) {
    let library = std::env::var("FAKETIME_LIBRARY").unwrap_or_else(|_| FAKETIME.to_owned());
    assert!(Path::new(&library).exists(), "{library} is missing: deploy/need.sh faketime");
    let clock = fire.suite.folder().join("clock");
    set(&clock, "+0");
    let variables = [
        format!("LD_PRELOAD={library}"),
        format!("FAKETIME_TIMESTAMP_FILE={}", clock.display()),
        "FAKETIME_CACHE_DURATION=1".into(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".into(),
        "DONT_FAKE_MONOTONIC=1".into(),
    ];
    let wrapper: Vec<&str> = ["env"].into_iter().chain(variables.iter().map(String::as_str)).collect();
    for service in WITH_CLOCK {
        fire.suite.through(service, &wrapper);
        for name in [service.to_owned(), format!("{service}-2")] {
            fire.suite.service(&name).signal("TERM");
            fire.suite.service(&name).wait(40 * S);
            fire.suite.run(&name);
        }
    }
    fire.broken();
    fire.flows(30 * S);
    fire.note("faketime; ingest keeps its clock, which is the events' own");
    let mut offsets = ["+3600", "-3600", "+3600", "-3600"];
    offsets.shuffle(&mut fire.random);
    for offset in offsets.into_iter().chain(["+0"]) {
        set(&clock, offset);
        fire.broken();
        fire.run_for(4 * S..7 * S);
        fire.flows(30 * S);
    }
    let hits = fire.receiver.all_hits().len();
    fire.figure("requests to networks", hits);
}

fn set(clock: &Path, offset: &str) {
    // Whole or not at all, however often it is read meanwhile.
    let aside = clock.with_extension("new");
    std::fs::write(&aside, format!("{offset}\n")).unwrap();
    std::fs::rename(aside, clock).unwrap();
}
