//! A process with a limit on its memory: a cgroup of its own.

use std::path::{Path, PathBuf};

const LIMIT: &str = "268435456";

/// A cgroup. When it is dropped, whoever is inside is let out.
pub(super) struct Cage {
    folder: PathBuf,
    script: String,
}

impl Cage {
    /// None where this machine lets us make none. Both versions are known.
    pub(super) fn make(name: &str) -> Option<Self> {
        let roots = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        roots.iter().find_map(|(root, limit)| {
            let folder = Path::new(root).join(format!("faults-{name}"));
            std::fs::create_dir(&folder).ok()?;
            let script = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", folder.display());
            let cage = Self { folder, script };
            std::fs::write(cage.folder.join(limit), LIMIT).ok().map(|()| cage)
        })
    }

    /// What a process is started through, so that it begins inside.
    pub(super) fn wrapper(&self) -> [&str; 3] {
        ["sh", "-c", &self.script]
    }

    /// How many processes were killed because they had too much.
    pub(super) fn kills(&self) -> u64 {
        let of = |file: &str| std::fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let lines = of("memory.oom_control") + &of("memory.events");
        let kills = lines.lines().filter_map(|line| line.strip_prefix("oom_kill ")?.parse::<u64>().ok());
        kills.sum()
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        let inside = std::fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        let outside = self.folder.with_file_name("cgroup.procs");
        // One that has just ended is nowhere, and needs no moving.
        inside.lines().for_each(|process| drop(std::fs::write(&outside, process)));
        if let Err(error) = std::fs::remove_dir(&self.folder) {
            eprintln!("{} is left behind: {error}", self.folder.display());
        }
    }
}
