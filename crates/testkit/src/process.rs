//! Real processes, killed when their test ends.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::eventually_within;

/// A process that can be killed, stopped and started again; its output goes to a log file.
pub struct Process {
    name: String,
    log: PathBuf,
    command: Box<dyn Fn() -> Command + Send>,
    child: Option<Child>,
}

impl Process {
    /// Starts what `command` makes; it makes it again at each `start`.
    pub fn start(name: &str, folder: &Path, command: impl Fn() -> Command + Send + 'static) -> Self {
        let log = folder.join(format!("{name}.log"));
        let mut process = Self { name: name.to_owned(), log, command: Box::new(command), child: None };
        process.restart();
        process
    }

    /// Starts it again after it ended.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "{} is running", self.name);
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let child = (self.command)().stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("{}: {error}", self.name)));
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.reap();
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().unwrap();
        assert!(sent.success(), "cannot send {name} to {}", self.name);
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let name = self.name.clone();
        let child = self.child.as_mut().unwrap();
        let status = eventually_within(limit, &format!("{name} ends"), || {
            child.try_wait().unwrap().ok_or_else(|| "it runs".to_owned())
        });
        self.child = None;
        status
    }

    /// Its number, while it runs.
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap_or_else(|| panic!("{} is not running", self.name)).id()
    }

    /// The most memory that it has had resident, in bytes; none where it does not run.
    pub fn peak(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.as_ref()?.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.signal("CONT");
            self.kill();
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(15).collect();
            eprintln!("--- {} ---", self.name);
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// A port that nobody listens on, and that this process was not given before. It lies below the range from which the
/// system takes outgoing ones, so that a server that is killed finds it free when it comes back.
pub fn free_port() -> u16 {
    static OFFSET: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(RandomState::new().hash_one(0) as u16));
    loop {
        let port = 10_000 + OFFSET.fetch_add(1, Ordering::Relaxed) % 22_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
