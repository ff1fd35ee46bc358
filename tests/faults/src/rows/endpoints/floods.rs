//! Endpoints that send more than anybody wants.

use std::time::Duration;

use testkit::Answer;

use super::odd::{Odd, add, concluded, first_attempts, peak, story};
use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
/// What the sockets of one connection may hold on loopback, in bytes.
const IN_SOCKETS: u64 = 16 << 20;
/// What the memory of the process may grow by, in MiB.
const GROWTH: u64 = 48;

pub(super) fn floods(fire: &mut Fire) {
    fire.run_for(3 * S..5 * S);
    let before = peak(fire);
    fire.receiver.script("huge", [Answer::Huge(200)]);
    fire.receiver.script("headers", [Answer::EndlessHeaders]);
    add(fire, &[Odd::here(fire, "huge", ""), Odd::here(fire, "headers", "retry = [\"1s\"]")]);
    let huge = concluded(fire, "huge", 30);
    assert!(huge.iter().all(|tries| tries[0]["outcome"] == "delivered"), "{:?}", story(&huge[0]));
    let headers = first_attempts(fire, "headers", 10);
    assert!(headers.iter().all(|attempt| attempt["outcome"] == "retrying"), "{headers:?}");
    fire.note(format!("endless headers: {}", headers[0]["class"]));
    for id in ["huge", "headers"] {
        let hits = fire.receiver.hits(id).len() as u64;
        let each = fire.receiver.sent(id) / hits;
        assert!(each < IN_SOCKETS, "{each} bytes of each answer of {id} were taken");
        fire.figure(&format!("bytes taken of each answer of `{id}`"), each);
    }
    expect_small(fire, before);
}

pub(super) fn inflates(fire: &mut Fire) {
    fire.run_for(3 * S..5 * S);
    let before = peak(fire);
    fire.receiver.script("bomb", [Answer::GzipBomb(200)]);
    add(fire, &[Odd::here(fire, "bomb", "")]);
    let bombs = concluded(fire, "bomb", 30);
    let otherwise = bombs.iter().find(|tries| tries[0]["outcome"] != "delivered");
    assert!(otherwise.is_none(), "{:?}", otherwise.map(|tries| story(tries)));
    expect_small(fire, before);
}

fn expect_small(fire: &mut Fire, before: u64) {
    let grown = peak(fire).saturating_sub(before);
    assert!(grown < GROWTH, "postbacks grew by {grown} MiB");
    fire.figure("MiB that postbacks grew", grown);
}
