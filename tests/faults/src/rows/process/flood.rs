//! A third of everything is garbage.

use std::time::Duration;

use event::topic;
use rand::Rng as _;
use stream::{Delivery, Outgoing, Producer};

use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
const READERS: [&str; 4] = ["attribution", "attribution-2", "reports", "reports-2"];

/// The alarm is raised, and nobody is stopped.
pub(super) fn flood(fire: &mut Fire) {
    fire.run_for(2 * S..4 * S);
    let producer = Producer::open(&fire.suite.kafka.config(), "flood").unwrap();
    fire.broken();
    let mut garbage = 0;
    let mut alarmed = false;
    for _ in 0..60 {
        let records: Vec<Outgoing> = (0..30).map(|_| draw(fire)).collect();
        garbage += records.len();
        let settled = producer.send_blocking(records);
        assert!(settled.iter().all(|delivery| matches!(delivery, Delivery::Stored { .. })), "{settled:?}");
        fire.run_for(S / 10..S / 5);
        if !alarmed && is_alarmed(fire) {
            alarmed = true;
            fire.recovers("the alarm is raised", S, |_| Ok(()));
            let seconds = fire.recoveries.pop().unwrap();
            fire.figure("seconds to the alarm", format!("{:.1}", seconds.as_secs_f64()));
        }
    }
    assert!(alarmed, "nobody raised the alarm");
    fire.figure("garbage", garbage);
    fire.mended();
    fire.flows(30 * S);
}

fn is_alarmed(fire: &Fire) -> bool {
    READERS.iter().any(|name| fire.suite.metric(name, ("attributary_reject_flood", "")) > 0.0)
}

/// Bytes that are no JSON, to a partition of a topic that the seed picks.
fn draw(fire: &mut Fire) -> Outgoing {
    let topics = [topic::ACTIVITY, topic::ACTIVITY, topic::INSTALLS, topic::EVENTS];
    let topic = topics[fire.pick(topics.len())];
    let length = fire.random.random_range(0..2_000);
    let mut bytes = vec![b'!'];
    bytes.extend((0..length).map(|_| fire.random.random::<u8>()));
    Outgoing::to(topic, bytes).key(format!("garbage-{length}"))
}
