//! Workers that stand still for a while: less than would make them feel ill to the group.

use std::time::Duration;

use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
const WORKERS: [&str; 3] = ["attribution", "reports", "postbacks"];

/// A process that is not scheduled for seconds, and one whose Redis does not answer, keep their partitions.
pub(super) fn blocked(fire: &mut Fire) {
    fire.run_for(S..2 * S);
    let before = assignments(fire);
    for _ in 0..3 {
        let name = WORKERS[fire.pick(3)];
        fire.suite.service(name).signal("STOP");
        fire.run_for(2 * S..9 * S / 2);
        fire.suite.service(name).signal("CONT");
        fire.mended();
        fire.flows(20 * S);
    }
    // Far beyond the answer's time limit: every stage drops its work and asks again, and stays in its group.
    fire.suite.redis.process.signal("STOP");
    fire.run_for(12 * S..15 * S);
    fire.suite.redis.process.signal("CONT");
    fire.mended();
    fire.flows(20 * S);
    assert_eq!(assignments(fire), before, "somebody lost its partitions");
    fire.figure("evictions", 0);
}

/// How often any stage was given partitions, or lost them.
fn assignments(fire: &mut Fire) -> usize {
    let names: Vec<String> = fire.suite.services.keys().cloned().collect();
    let of = |name: &String| fire.suite.service(name).log().matches(r#""message":"assigned""#).count();
    names.iter().map(of).sum()
}
