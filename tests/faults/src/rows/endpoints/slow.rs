//! Endpoints that take their time.

use std::time::Duration;

use testkit::Answer;

use super::odd::{self, Odd, add, concluded, p99};
use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);

/// Others must not notice. Both phases are measured in one run, under the same load.
pub(super) fn hangs(fire: &mut Fire) {
    add(fire, &[Odd::here(fire, "good", ""), Odd::here(fire, "hangs", "")]);
    fire.run_for(3 * S..4 * S);
    let quiet = odd::now();
    fire.run_for(12 * S..13 * S);
    let before = p99(fire, "good", quiet);
    fire.receiver.script("hangs", [Answer::Hang]);
    fire.run_for(2 * S..3 * S);
    let hung = odd::now();
    fire.run_for(12 * S..13 * S);
    let meanwhile = p99(fire, "good", hung);
    fire.figure("others' p99 ms, before", before);
    fire.figure("meanwhile", meanwhile);
    assert!(fire.receiver.hits("hangs").iter().any(|hit| hit.status == 0), "nobody was left hanging");
    assert!(meanwhile < before * 3 / 2, "others' p99 went from {before} to {meanwhile} ms");
}

/// The status came, the body never ends: it is cut at the total timeout, and the status counts.
pub(super) fn drips(fire: &mut Fire) {
    fire.receiver.script("drips", [Answer::Drip(200)]);
    add(fire, &[Odd::here(fire, "drips", "timeout = \"2s\"")]);
    let tries = concluded(fire, "drips", 10);
    let latencies: Vec<u64> = tries.iter().map(|tries| tries[0]["latency_ms"].as_u64().unwrap()).collect();
    assert!(latencies.iter().all(|latency| (1_900..3_000).contains(latency)), "{latencies:?}");
    assert!(tries.iter().all(|tries| tries.len() == 1 && tries[0]["outcome"] == "delivered"), "{tries:?}");
    fire.figure("longest attempt ms", latencies.iter().max().unwrap());
}
