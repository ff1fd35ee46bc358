//! A Redis Cluster of three masters.

use std::path::Path;
use std::process::Command;

use crate::{Redis, eventually};

const SLOTS: usize = 16_384;

/// Three masters that share the slots evenly.
pub struct Cluster {
    pub nodes: Vec<Redis>,
}

impl Cluster {
    pub fn start(folder: &Path) -> Self {
        let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
        let node = |number| Redis::start_with(folder, &format!("redis-{number}"), &options);
        let cluster = Self { nodes: (1..=3).map(node).collect() };
        cluster.join();
        cluster
    }

    fn join(&self) {
        let addresses = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let mut command = Command::new("redis-cli");
        let output = command.args(["--cluster", "create"]).args(addresses).arg("--cluster-yes").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        for node in &self.nodes {
            eventually("the cluster is whole", || {
                let info = node.command(&["CLUSTER", "INFO"]);
                let whole = info.contains("cluster_state:ok") && info.contains(&format!("cluster_slots_ok:{SLOTS}"));
                if whole { Ok(()) } else { Err(info) }
            });
        }
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> u16 {
        self.nodes[0].command(&["CLUSTER", "KEYSLOT", key]).parse().unwrap()
    }

    /// The number of the node that owns a slot.
    pub fn owner(&self, slot: u16) -> usize {
        let slots = |node: &Redis| node.command(&["CLUSTER", "NODES"]);
        let owns = |node: &Redis| {
            let nodes = slots(node);
            let own = nodes.lines().find(|line| line.contains("myself")).unwrap().to_owned();
            own.split_whitespace().skip(8).filter(|range| !range.starts_with('[')).any(|range| holds(range, slot))
        };
        self.nodes.iter().position(owns).unwrap()
    }

    /// Moves a slot with all of its keys to another node, as `redis-cli --cluster reshard` does; meanwhile every question
    /// is answered by `ASK`, `MOVED` or `TRYAGAIN` where it must be.
    pub fn move_slot(&self, slot: u16, to: usize) {
        let (from, to, slot) = (&self.nodes[self.owner(slot)], &self.nodes[to], slot.to_string());
        let (from_id, to_id) = (from.command(&["CLUSTER", "MYID"]), to.command(&["CLUSTER", "MYID"]));
        to.must(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        from.must(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
        loop {
            let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]);
            let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                break;
            }
            let port = to.port.to_string();
            let call = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            let answer = from.command(&[&call[..], &keys[..]].concat());
            assert!(matches!(answer.as_str(), "OK" | "NOKEY"), "migrate: {answer}");
        }
        for node in [to, from].into_iter().chain(&self.nodes) {
            node.must(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        }
    }
}

/// Whether a range such as `0-5460` or `77` holds the slot.
fn holds(range: &str, slot: u16) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    first.parse().is_ok_and(|first: u16| first <= slot) && last.parse().is_ok_and(|last: u16| slot <= last)
}
