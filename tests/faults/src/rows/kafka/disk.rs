//! A broker that cannot write any more.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::fire::{Fire, IN_FLIGHT};

use super::probe;

const S: Duration = Duration::from_secs(1);
const SIZE: &str = "size=256m";

/// The broker's log on a small file system, which somebody else fills. Kafka then stops by itself.
pub(super) fn full(fire: &mut Fire) {
    fire.allow_repeats(2 * IN_FLIGHT);
    fire.run_for(2 * S..4 * S);
    fire.suite.kafka.node(1).process.kill();
    let disk = Disk::mount(&fire.suite.kafka.node(1).data);
    fire.suite.kafka.node(1).process.restart();
    fire.suite.kafka.wait();
    fire.flows(60 * S);
    fire.run_for(2 * S..4 * S);

    disk.fill();
    fire.broken();
    fire.run_for(12 * S..15 * S);
    let refused = probe::post(&fire.suite.url("ingest"), "full");
    assert!(refused.status == 503 && refused.retry_after, "{refused:?}");
    let ended = fire.suite.kafka.node(1).process.wait(30 * S);
    fire.note(format!("the broker ends by itself: {ended}"));

    disk.make_room();
    fire.suite.kafka.node(1).process.restart();
    fire.suite.kafka.wait();
    fire.mended();
    fire.flows(60 * S);
    fire.run_for(2 * S..4 * S);
    fire.suite.kafka.node(1).process.kill();
    drop(disk);
    fire.suite.kafka.node(1).process.restart();
    fire.suite.kafka.wait();
}

/// A file system in memory where a folder was; the folder's content moves in, and back when it is dropped.
struct Disk {
    folder: PathBuf,
    aside: PathBuf,
}

impl Disk {
    fn mount(folder: &Path) -> Self {
        let aside = folder.with_extension("aside");
        std::fs::rename(folder, &aside).unwrap();
        std::fs::create_dir(folder).unwrap();
        must("mount", &["-t", "tmpfs", "-o", SIZE, "tmpfs", folder.to_str().unwrap()]);
        let disk = Self { folder: folder.to_owned(), aside };
        copy(&disk.aside, &disk.folder);
        disk
    }

    fn ballast(&self) -> PathBuf {
        self.folder.with_extension("ballast").file_name().map(|name| self.folder.join(name)).unwrap()
    }

    /// Takes what is free: the file lies beside the partitions, where Kafka ignores it.
    fn fill(&self) {
        let ballast = self.ballast();
        // It ends with "no space left on device", which is what is wanted.
        let filled =
            Command::new("dd").args(["if=/dev/zero", "bs=64k", "status=none"]).arg(of(&ballast)).output().unwrap();
        assert!(!filled.status.success(), "the disk is not full");
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.aside).unwrap();
        copy(&self.folder, &self.aside);
        must("umount", &["-l", self.folder.to_str().unwrap()]);
        std::fs::remove_dir(&self.folder).unwrap();
        std::fs::rename(&self.aside, &self.folder).unwrap();
    }
}

fn of(path: &Path) -> String {
    format!("of={}", path.display())
}

fn copy(from: &Path, to: &Path) {
    must("cp", &["-a", "--sparse=always", "-T", from.to_str().unwrap(), to.to_str().unwrap()]);
}

fn must(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
