//! Clocks that are wrong, and clocks that step.

use std::path::Path;
use std::time::Duration;

use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
/// Not ingest: its clock is the time of what it is sent, and says in which order a click and an install came.
const WITH_CLOCK: [&str; 3] = ["attribution", "reports", "postbacks"];
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
const OFFSETS: [&str; 3] = ["-1h", "+0", "+1h"];

/// Everybody behind Kafka has another idea of the time, and each of them another one after a while.
///
/// A clock that steps under a running process is not tried: faketime does that to the waits of librdkafka, too, in a way
/// that no real clock does.
pub(super) fn steps(fire: &mut Fire) {
    let library = std::env::var("FAKETIME_LIBRARY").unwrap_or_else(|_| FAKETIME.to_owned());
    assert!(Path::new(&library).exists(), "{library} is missing: deploy/need.sh faketime");
    let preload = format!("LD_PRELOAD={library}");
    fire.note("by faketime; ingest keeps its clock, which is the events' own");
    for round in 0..3 {
        let first = fire.pick(OFFSETS.len());
        for service in WITH_CLOCK {
            for (replica, name) in [service.to_owned(), format!("{service}-2")].into_iter().enumerate() {
                let offset = format!("FAKETIME={}", OFFSETS[(first + replica + round) % OFFSETS.len()]);
                fire.suite.through(service, &["env", &preload, "DONT_FAKE_MONOTONIC=1", &offset]);
                fire.suite.service(&name).signal("TERM");
                assert!(fire.suite.service(&name).wait(40 * S).success(), "{name}");
                fire.suite.launch(&name);
            }
        }
        fire.mended();
        fire.flows(40 * S);
        fire.run_for(2 * S..4 * S);
    }
    let delivered = fire.receiver.all_hits();
    let early = delivered.iter().filter(|hit| hit.status >= 300).count();
    assert_eq!(early, 0, "every network answers 200: nothing is tried again");
    fire.figure("requests to networks", delivered.len());
}
