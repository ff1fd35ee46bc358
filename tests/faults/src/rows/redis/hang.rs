//! Redis is asked, and its answer is late or never comes.

use std::time::Duration;

use rand::Rng as _;
use testkit::{Mode, Proxy, Way, eventually, free_port};

use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);

/// Far beyond `redis.response_timeout`: everybody gave up, and what they had sent is still in the sockets.
pub(super) fn frozen(fire: &mut Fire) {
    fire.run_for(2 * S..4 * S);
    fire.suite.redis.process.signal("STOP");
    fire.broken();
    fire.run_for(15 * S..20 * S);
    fire.suite.redis.process.signal("CONT");
    fire.mended();
    fire.flows(30 * S);
}

/// Redis applies what it is told, and nobody hears of it: the answer is lost, or comes after everybody gave up.
pub(super) fn answer_lost(fire: &mut Fire) {
    let (front, back) = (fire.suite.redis.port, free_port());
    let (to_front, to_back) = (front.to_string(), back.to_string());
    fire.suite.redis.must(&["CONFIG", "SET", "port", &to_back]);
    fire.suite.redis.port = back;
    let proxy = Proxy::start_at(front, back);
    fire.suite.redis.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    fire.flows(30 * S);
    for _ in 0..4 {
        fire.run_for(S..2 * S);
        proxy.set(Mode::HangOneWay(Way::ToClient));
        fire.broken();
        let patience = fire.random.random_range(50..7_000);
        fire.run_for(Duration::from_millis(patience)..Duration::from_millis(patience + 1));
        if fire.random.random_bool(0.5) {
            proxy.set(Mode::Reset);
            fire.run_for(S / 10..S / 5);
        }
        proxy.set(Mode::Pass);
        fire.mended();
        fire.flows(30 * S);
    }
    drop(proxy);
    eventually("redis takes its port back", || match fire.suite.redis.command(&["CONFIG", "SET", "port", &to_front]) {
        answer if answer == "OK" => Ok(()),
        answer => Err(answer),
    });
    fire.suite.redis.port = front;
    fire.flows(30 * S);
}
