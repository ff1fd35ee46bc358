//! Redis runs out of disk.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use testkit::Redis;

use super::state::positions;
use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
const SIZE: &str = "size=64m";

/// A file system of its own, unmounted when it is dropped.
struct Small(PathBuf);

impl Small {
    fn mount(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        run("mount", &["-t", "tmpfs", "-o", SIZE, "faults"], &path);
        Self(path)
    }

    /// Leaves no room for anything.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let target = format!("of={}", filler.display());
        // It ends because there is no room left: that is the point.
        Command::new("dd").args(["if=/dev/zero", &target, "bs=4k", "status=none"]).status().unwrap();
        filler
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.0);
    }
}

fn run(program: &str, arguments: &[&str], path: &PathBuf) {
    let output = Command::new(program).args(arguments).arg(path).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Redis moves to a small file system, as a replica that takes over; then something else fills it.
pub(super) fn full(fire: &mut Fire) {
    let folder = fire.suite.folder();
    let small = Small::mount(folder.join("redis-small"));
    let primary = format!("127.0.0.1 {}", fire.suite.redis.port);
    let mut redis = Redis::start_with(&folder, "redis-small", &["--replicaof", &primary]);
    redis.caught_up();
    fire.suite.redis.process.kill();
    redis.take_over(&fire.suite.redis);
    fire.suite.redis = redis;
    fire.flows(30 * S);

    fire.run_for(2 * S..3 * S);
    let filler = small.fill();
    fire.broken();
    fire.run_for(3 * S..4 * S);
    let stood = positions(&fire.suite.redis);
    fire.run_for(2 * S..4 * S);
    assert_eq!(positions(&fire.suite.redis), stood, "positions moved although Redis cannot write");
    let says = fire.suite.troubles("reports");
    assert!(says.contains("MISCONF"), "reports says {says:?}");
    std::fs::remove_file(filler).unwrap();
    fire.mended();
    fire.flows(30 * S);
}
