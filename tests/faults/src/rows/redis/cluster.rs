//! A Redis Cluster whose slots move while they are written to.

use std::time::Duration;

use rand::Rng as _;

use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
/// A stage and its topic, as its keys begin. A partition's keys are one slot.
const STAGES: [&str; 6] = [
    "attribution.remember.1:activity",
    "attribution.record.1:installs",
    "reports.activity.1:activity",
    "reports.installs.1:installs",
    "reports.events.1:events",
    "postbacks.installs.1:installs",
];

/// For a while the keys of a slot are at two nodes: what needs both waits, and goes on when the slot has moved.
pub(super) fn slots_move(fire: &mut Fire) {
    let mut moved = 0;
    for stage in STAGES {
        let partition = fire.random.random_range(0..4);
        let cluster = fire.cluster();
        let slot = cluster.slot(&format!("{{{stage}:{partition}}}:position"));
        let from = cluster.holder(slot);
        let to = (from + 1) % cluster.nodes.len();
        cluster.open_slot(slot, to);
        fire.broken();
        fire.run_for(S / 2..S);
        moved += fire.cluster().move_all_keys(slot, (from, to));
        fire.cluster().close_slot(slot, to);
        fire.mended();
        fire.flows(30 * S);
        fire.run_for(S / 2..S);
    }
    fire.figure("keys moved", moved);
}
