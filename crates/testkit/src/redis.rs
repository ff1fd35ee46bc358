//! A private redis-server with the shipped configuration and entrypoint, and what can happen to one.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::eventually;
use crate::process::{Process, free_port, repository};

/// One server. It keeps its port and its folder however often it is killed and started again.
pub struct Redis {
    pub process: Process,
    pub port: u16,
    folder: PathBuf,
    data: PathBuf,
}

impl Redis {
    pub fn start(folder: PathBuf) -> Self {
        Self::start_with(&folder, "redis", &[])
    }

    /// Starts one that is called `name`, with options of `redis-server` such as `["--maxmemory", "8mb"]`.
    pub fn start_with(folder: &Path, name: &str, options: &[&str]) -> Self {
        Self::start_from(&repository().join("deploy/redis.conf"), folder, name, options)
    }

    /// The same with settings of its own. A sentinel makes its servers rewrite theirs.
    pub fn start_from(settings: &Path, folder: &Path, name: &str, options: &[&str]) -> Self {
        let port = free_port();
        let data = folder.join(name);
        std::fs::create_dir_all(&data).unwrap();
        let (dir, options) = (data.clone(), options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>());
        let settings = settings.to_owned();
        let process = Process::start(name, folder, move || {
            let mut command = Command::new(repository().join("deploy/redis-entrypoint.sh"));
            command.arg(&settings).args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
            command.arg("--dir").arg(&dir).args(&options);
            command
        });
        let redis = Self { process, port, folder: folder.to_owned(), data };
        redis.wait();
        redis
    }

    pub fn wait(&self) {
        eventually("redis answers", || TcpStream::connect(("127.0.0.1", self.port)).map_err(|error| error.to_string()));
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn config(&self) -> ledger::Redis {
        ledger::Redis { url: self.url(), ..ledger::Redis::default() }
    }

    /// Runs a command of `redis-cli`; an error of Redis is an answer too.
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs a command that must answer `OK`.
    pub fn must(&self, arguments: &[&str]) {
        let answer = self.command(arguments);
        assert_eq!(answer, "OK", "redis {arguments:?}");
    }

    /// A line of `INFO`, such as `used_memory`.
    pub fn info(&self, field: &str) -> Option<String> {
        let info = self.command(&["INFO"]);
        info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(|value| value.trim().to_owned()))
    }

    /// `kill -9`, and starts it again through the entrypoint.
    pub fn crash(&mut self) {
        self.process.kill();
        self.process.restart();
        self.wait();
    }

    /// Cuts the last bytes of the append-only file, as a machine does that loses power in the middle of a write. The
    /// server must be dead. Answers how many bytes were cut.
    pub fn tear(&self, bytes: u64) -> u64 {
        let entries = std::fs::read_dir(self.data.join("appendonlydir")).unwrap();
        let increments =
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.to_str().unwrap().ends_with(".incr.aof"));
        let newest = increments.max_by_key(|path| number_in(path)).unwrap();
        let file = File::options().write(true).open(&newest).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(bytes)).unwrap();
        bytes.min(length)
    }

    /// Starts a replica, and waits until it has everything.
    pub fn replica(&self) -> Self {
        let primary = format!("127.0.0.1 {}", self.port);
        let replica = Self::start_with(&self.folder, "redis-replica", &["--replicaof", &primary]);
        replica.caught_up();
        replica
    }

    /// Waits until a replica has everything.
    pub fn caught_up(&self) {
        eventually("the replica has caught up", || match self.info("master_link_status") {
            Some(status) if status == "up" => Ok(()),
            status => Err(format!("{status:?}")),
        });
    }

    /// Makes a replica stay as it is from now on: whatever the primary is told, it does not hear of.
    pub fn fall_behind(&self) {
        self.must(&["REPLICAOF", "127.0.0.1", "1"]);
    }

    /// Makes a replica the primary, at the address of the one that died. What it had not heard of is lost.
    pub fn take_over(&mut self, dead: &Self) {
        self.must(&["REPLICAOF", "NO", "ONE"]);
        eventually("the port is free", || match self.command(&["CONFIG", "SET", "port", &dead.port.to_string()]) {
            answer if answer == "OK" => Ok(()),
            answer => Err(answer),
        });
        self.port = dead.port;
        self.wait();
    }
}

/// The sequence number of an append-only file such as `appendonly.aof.12.incr.aof`.
fn number_in(path: &Path) -> u64 {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.split('.').rev().nth(2).and_then(|number| number.parse().ok()).unwrap_or_default()
}
