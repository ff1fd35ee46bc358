//! A primary, a replica, and a sentinel that makes the replica a primary when the first one is gone.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::eventually;
use crate::process::{Process, free_port, repository};
use crate::redis::Redis;

/// What the sentinel calls the primary.
const SERVICE: &str = "main";

pub struct Sentinel {
    pub primary: Redis,
    pub replica: Redis,
    pub process: Process,
    pub port: u16,
}

impl Sentinel {
    pub fn start(folder: &Path) -> Self {
        let (primary, replica) = (server(folder, "primary"), server(folder, "replica"));
        replica.command(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()]);
        eventually("the replica follows", || {
            let state = replica.command(&["INFO", "replication"]);
            if state.contains("master_link_status:up") { Ok(()) } else { Err(state) }
        });
        let port = free_port();
        let file = subfolder(folder, "sentinel").join("sentinel.conf");
        let settings = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {SERVICE} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {SERVICE} 1000\nsentinel failover-timeout {SERVICE} 5000\n",
            primary.port
        );
        std::fs::write(&file, settings).unwrap();
        let process = Process::start("sentinel", folder, move || {
            let mut command = Command::new("redis-server");
            command.arg(&file).arg("--sentinel");
            command
        });
        let sentinel = Self { primary, replica, process, port };
        eventually("the sentinel knows the replica", || {
            let replicas = sentinel.command(&["SENTINEL", "REPLICAS", SERVICE]);
            let knows = replicas.contains(&sentinel.replica.port.to_string()) && replicas.contains("\nok\n");
            if knows { Ok(()) } else { Err(replicas) }
        });
        sentinel
    }

    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{SERVICE}/0", self.port)
    }

    pub fn config(&self) -> ledger::Redis {
        ledger::Redis { url: self.url(), ..ledger::Redis::default() }
    }

    /// Runs a command of `redis-cli` at the sentinel.
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Stops what the primary sends to the replica: what is written from now on is lost with the primary.
    pub fn cut(&self) {
        self.replica.process.signal("STOP");
        self.primary.command(&["CLIENT", "KILL", "TYPE", "REPLICA"]);
    }
}

/// A server with the shipped configuration in a file of its own, for a sentinel makes its servers rewrite theirs.
fn server(folder: &Path, name: &str) -> Redis {
    let file = subfolder(folder, name).join("redis.conf");
    std::fs::copy(repository().join("deploy/redis.conf"), &file).unwrap();
    Redis::start_from(&file, folder, name, &[])
}

fn subfolder(folder: &Path, name: &str) -> PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
