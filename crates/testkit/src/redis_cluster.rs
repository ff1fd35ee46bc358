//! A Redis Cluster of three primaries on loopback.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::eventually;
use crate::process::{Process, free_port, repository};

/// Three nodes, a third of the slots each, no replicas.
pub struct RedisCluster {
    pub nodes: Vec<Node>,
}

pub struct Node {
    pub process: Process,
    pub port: u16,
    pub id: String,
}

impl RedisCluster {
    pub fn start(folder: PathBuf) -> Self {
        let mut nodes: Vec<Node> = (0..3).map(|number| Node::start(&folder, number)).collect();
        let addresses = nodes.iter().map(Node::address);
        let made = run(Command::new("redis-cli").args(["--cluster", "create"]).args(addresses).args([
            "--cluster-replicas",
            "0",
            "--cluster-yes",
        ]));
        assert!(made.contains("All 16384 slots covered"), "{made}");
        for node in &mut nodes {
            node.id = node.command(&["CLUSTER", "MYID"]);
        }
        let cluster = Self { nodes };
        cluster.wait();
        cluster
    }

    /// Waits until every node says that the cluster is whole.
    pub fn wait(&self) {
        for node in &self.nodes {
            eventually("the cluster is whole", || {
                let state = node.command(&["CLUSTER", "INFO"]);
                if state.contains("cluster_state:ok") { Ok(()) } else { Err(state) }
            });
        }
    }

    pub fn url(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(Node::address).collect();
        format!("redis+cluster://{}", addresses.join(","))
    }

    pub fn config(&self) -> ledger::Redis {
        ledger::Redis { url: self.url(), ..ledger::Redis::default() }
    }

    pub fn slot(&self, key: &str) -> u16 {
        self.nodes[0].command(&["CLUSTER", "KEYSLOT", key]).parse().unwrap()
    }

    /// The number of the node that holds the slot.
    pub fn holder(&self, slot: u16) -> usize {
        let nodes = self.nodes[0].command(&["CLUSTER", "NODES"]);
        let holds = |line: &str| {
            line.split(' ').skip(8).any(|range| {
                let (from, to) = range.split_once('-').unwrap_or((range, range));
                matches!((from.parse::<u16>(), to.parse::<u16>()), (Ok(from), Ok(to)) if from <= slot && slot <= to)
            })
        };
        let line = nodes.lines().find(|line| holds(line)).unwrap_or_else(|| panic!("nobody holds {slot}:\n{nodes}"));
        self.nodes.iter().position(|node| line.starts_with(&node.id)).unwrap()
    }

    /// Begins to move a slot: from now on its keys may be at either node.
    pub fn open_slot(&self, slot: u16, to: usize) {
        let (slot, from) = (slot.to_string(), &self.nodes[self.holder(slot)]);
        self.nodes[to].command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from.id]);
        from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.nodes[to].id]);
    }

    /// Moves keys of an open slot.
    pub fn move_keys(&self, keys: &[&str], (from, to): (usize, usize)) {
        let port = self.nodes[to].port.to_string();
        let arguments = [&["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"], keys].concat();
        self.nodes[from].command(&arguments);
    }

    /// Moves every key of an open slot, a few at a time; answers how many.
    pub fn move_all_keys(&self, slot: u16, (from, to): (usize, usize)) -> usize {
        let mut moved = 0;
        loop {
            let keys = self.keys(from, slot, 5);
            if keys.is_empty() {
                return moved;
            }
            moved += keys.len();
            self.move_keys(&keys.iter().map(String::as_str).collect::<Vec<_>>(), (from, to));
        }
    }

    /// The keys of a slot that a node holds, at most `limit`.
    pub fn keys(&self, node: usize, slot: u16, limit: usize) -> Vec<String> {
        let keys = self.nodes[node].command(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &limit.to_string()]);
        keys.lines().filter(|key| !key.is_empty()).map(str::to_owned).collect()
    }

    /// Ends the move of a slot.
    pub fn close_slot(&self, slot: u16, to: usize) {
        // The new holder first, or both would point at each other.
        let others = (0..self.nodes.len()).filter(|&node| node != to);
        for node in std::iter::once(to).chain(others) {
            self.nodes[node].command(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &self.nodes[to].id]);
        }
    }
}

impl Node {
    fn start(folder: &std::path::Path, number: usize) -> Self {
        let (port, bus) = (free_port(), free_port());
        let name = format!("redis-{number}");
        let data = folder.join(&name);
        std::fs::create_dir_all(&data).unwrap();
        let process = Process::start(&name, folder, move || {
            let deploy = repository().join("deploy");
            let mut command = Command::new(deploy.join("redis-entrypoint.sh"));
            command.arg(deploy.join("redis.conf")).args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
            command.args(["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()]);
            command.args(["--cluster-node-timeout", "2000", "--dir"]).arg(&data);
            command
        });
        let node = Self { process, port, id: String::new() };
        eventually("redis answers", || match node.command(&["PING"]).as_str() {
            "PONG" => Ok(()),
            other => Err(other.to_owned()),
        });
        node
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs a command of `redis-cli` at this node.
    pub fn command(&self, arguments: &[&str]) -> String {
        run(Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments))
    }
}

fn run(command: &mut Command) -> String {
    let Output { stdout, stderr, .. } = command.output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)).trim().to_owned()
}
