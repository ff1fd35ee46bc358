//! Redis loses everything: what it held is built again from Kafka.

use std::time::{Duration, Instant};

use rand::Rng as _;
use testkit::eventually;

use super::state::{Answer, ask, pending};
use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
const WHOLE_WITHIN: Duration = Duration::from_secs(90);

pub(super) fn flushed(fire: &mut Fire) {
    fire.run_for(8 * S..12 * S);
    let before = installs(fire);
    flush(fire);
    until_whole(fire, before);
    fire.flows(30 * S);
}

/// Every process dies while it rebuilds, and Redis may lose everything once more.
pub(super) fn flushed_and_killed(fire: &mut Fire) {
    fire.run_for(8 * S..12 * S);
    let before = installs(fire);
    flush(fire);
    fire.run_for(S / 2..2 * S);
    let names: Vec<String> = fire.suite.services.keys().cloned().collect();
    for name in names.iter().filter(|name| !name.starts_with("ingest")) {
        fire.suite.service(name).kill();
    }
    if fire.random.random_bool(0.5) {
        fire.suite.redis.must(&["FLUSHALL"]);
        fire.note("emptied again meanwhile");
    }
    for name in names.iter().filter(|name| !name.starts_with("ingest")) {
        fire.suite.service(name).restart();
    }
    until_whole(fire, before);
    fire.flows(60 * S);
}

/// Deliveries wait by the hundred for an endpoint that is down; Redis loses them, and the endpoint comes back.
pub(super) fn flushed_with_pending(fire: &mut Fire) {
    fire.endpoints_answer(503);
    fire.run_for(15 * S..18 * S);
    let waiting = pending(&fire.suite.redis);
    assert!(waiting > 500, "only {waiting} deliveries were pending");
    let before = installs(fire);
    flush(fire);
    fire.figure("deliveries pending", waiting);
    until_whole(fire, before);
    fire.endpoints_answer(200);
    fire.flows(60 * S);
}

fn flush(fire: &mut Fire) {
    fire.suite.redis.must(&["FLUSHALL"]);
    fire.broken();
}

fn installs(fire: &Fire) -> u64 {
    eventually("reports answers", || ask(fire).map(|answer| answer.installs).ok_or_else(|| "not with numbers".into()))
}

/// Asks `reports` until it has everything again; an answer that has less must say so itself.
fn until_whole(fire: &mut Fire, before: u64) {
    let (flushed_at, mut flagged, mut silent) = (Instant::now(), 0, Vec::new());
    loop {
        match ask(fire) {
            Some(Answer { is_flagged: true, .. }) => flagged += 1,
            Some(Answer { installs, .. }) if installs >= before => break,
            Some(Answer { installs, .. }) => silent.push((flushed_at.elapsed().as_millis(), installs)),
            None => {}
        }
        assert!(flushed_at.elapsed() < WHOLE_WITHIN, "not whole within {WHOLE_WITHIN:?}");
    }
    fire.figure("rebuild ms", flushed_at.elapsed().as_millis());
    fire.figure("answers flagged `rebuilding`", flagged);
    assert!(
        silent.is_empty(),
        "answers without a flag that had less than {before} installs (ms, installs): {silent:?}"
    );
    assert!(flagged > 0, "no answer was flagged");
}
