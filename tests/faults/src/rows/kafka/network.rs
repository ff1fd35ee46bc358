//! What lies between the services and a broker that is well.

use std::time::{Duration, Instant};

use rand::Rng as _;
use testkit::{Mode, Way};

use crate::fire::{Fire, IN_FLIGHT};

use super::probe;

const S: Duration = Duration::from_secs(1);
/// Requests of a mebibyte that are begun at once: more than may wait for Kafka.
const FLOOD: usize = 64;

/// What does not get through is refused before it is read, and memory stays bounded.
pub(super) fn narrow(fire: &mut Fire) {
    fire.run_for(2 * S..4 * S);
    set(fire, Mode::Bandwidth(10_000));
    fire.broken();
    let before = probe::peak(&fire.suite, "ingest");
    let door = fire.suite.url("ingest");
    let flood: Vec<_> = (0..FLOOD)
        .map(|number| {
            let door = door.clone();
            std::thread::spawn(move || probe::post_batch(&door, &probe::bulk(number)))
        })
        .collect();
    // Until the queue is full, requests wait for Kafka; then they are turned away at once. Who asks must not wait for those.
    let mut asked = Vec::new();
    for _ in 0..90 {
        let door = door.clone();
        asked.push(std::thread::spawn(move || {
            let started = Instant::now();
            let answer = probe::post(&door, "narrow");
            (answer, started.elapsed())
        }));
        fire.run_for(S / 20..S / 10);
    }
    let answers = asked.into_iter().map(|request| request.join().unwrap());
    let refused: Vec<_> = answers.filter(|(answer, _)| answer.body.contains("\"overloaded\"")).collect();
    assert!(refused.iter().all(|(answer, _)| answer.status == 503 && answer.retry_after), "{refused:?}");
    let (early, slowest) = (refused.len(), refused.iter().map(|(_, took)| *took).max().unwrap_or_default());
    let statuses: Vec<u16> = flood.into_iter().map(|request| request.join().unwrap().status).collect();
    assert!(early > 0, "nobody was turned away early: {statuses:?}");
    assert!(slowest < S, "a refusal took {slowest:?}");
    let grown = probe::peak(&fire.suite, "ingest").saturating_sub(before);
    assert!(grown < 320, "ingest grew by {grown} MiB");
    fire.figure("turned away early", early);
    fire.figure("ms for the slowest refusal", slowest.as_millis() as u64);
    fire.figure("MiB that ingest grew", grown);
    set(fire, Mode::Pass);
    fire.mended();
    fire.flows(60 * S);
}

/// Everything takes longer, and nothing else changes.
pub(super) fn slow(fire: &mut Fire) {
    fire.run_for(2 * S..4 * S);
    let before = fire.load.truth(|truth| truth.refusals);
    set(fire, Mode::Latency(250 * S / 1000));
    fire.broken();
    fire.run_for(15 * S..20 * S);
    fire.flows(30 * S);
    let refused = fire.load.truth(|truth| truth.refusals) - before;
    assert_eq!(refused, 0, "a slow broker is no reason to refuse");
    set(fire, Mode::Pass);
    fire.mended();
    fire.flows(30 * S);
}

/// Whoever is cut off for longer than the session timeout loses its partitions, and cannot say what it has delivered.
pub(super) fn cut(fire: &mut Fire) {
    fire.allow_repeats(3 * 2 * IN_FLIGHT);
    let modes = [
        Mode::HangOneWay(Way::ToServer),
        Mode::HangOneWay(Way::ToClient),
        Mode::Hang,
        Mode::Reset,
        Mode::Refuse,
        Mode::HalfClose,
        Mode::Slice(7),
    ];
    let first = fire.random.random_range(0..modes.len());
    for turn in 0..3 {
        let mode = modes[(first + turn * 2) % modes.len()];
        fire.note(format!("{mode:?}"));
        fire.run_for(2 * S..4 * S);
        set(fire, mode);
        fire.broken();
        fire.run_for(8 * S..14 * S);
        set(fire, Mode::Pass);
        fire.mended();
        fire.flows(20 * S);
    }
}

fn set(fire: &Fire, mode: Mode) {
    fire.suite.kafka.proxy.as_ref().unwrap().set(mode);
}
