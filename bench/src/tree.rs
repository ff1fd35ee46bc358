//! What a process and all that it started have used.

use std::collections::{HashMap, HashSet};
use std::fs::{read_dir, read_to_string};

use anyhow::{Context, ensure};

/// Seconds of CPU in user and system mode: of the process, of its descendants, and of those that have ended.
pub(crate) fn cpu_seconds(root: u32) -> anyhow::Result<f64> {
    Ok(seconds(family(root)?.values().sum()))
}

/// The same of the process alone.
pub(crate) fn own_cpu_seconds(id: u32) -> anyhow::Result<f64> {
    let stat = Stat::parse(&read_to_string(format!("/proc/{id}/stat"))?).context("reading /proc/<pid>/stat")?;
    Ok(seconds(stat.own))
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The most memory that each of the process and its descendants ever held, summed, in MiB.
pub(crate) fn peak_mib(root: u32) -> anyhow::Result<f64> {
    let peak = |id: &u32| {
        let status = read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<f64>().ok()
    };
    Ok(family(root)?.keys().filter_map(peak).sum::<f64>() / 1024.0)
}

/// The process and its descendants, with the ticks of each.
fn family(root: u32) -> anyhow::Result<HashMap<u32, u64>> {
    let mut processes = HashMap::new();
    for entry in read_dir("/proc")? {
        let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = read_to_string(format!("/proc/{id}/stat")) else { continue }; // it has just ended
        if let Some(stat) = Stat::parse(&stat) {
            processes.insert(id, stat);
        }
    }
    ensure!(processes.contains_key(&root), "process {root} has ended");
    let mut family = HashSet::from([root]);
    loop {
        let known = family.len();
        family.extend(
            processes.iter().filter(|(_, stat)| family.contains(&stat.parent)).map(|(&id, _)| id).collect::<Vec<_>>(),
        );
        if family.len() == known {
            break;
        }
    }
    Ok(processes
        .into_iter()
        .filter(|(id, _)| family.contains(id))
        .map(|(id, stat)| (id, stat.own + stat.ended))
        .collect())
}

#[derive(Debug, PartialEq)]
struct Stat {
    parent: u32,
    /// User and system time of the process.
    own: u64,
    /// The same of its children that have ended.
    ended: u64,
}

impl Stat {
    /// Reads /proc/<pid>/stat. The name before the last parenthesis may hold anything.
    fn parse(stat: &str) -> Option<Self> {
        let words: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let ticks = |at: usize| words.get(at)?.parse::<u64>().ok();
        Some(Self { parent: words[1].parse().ok()?, own: ticks(11)? + ticks(12)?, ended: ticks(13)? + ticks(14)? })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_time_of_a_process_is_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 11 12 13 14 150 25 3 2 20 0 3 0 99 1024 5";
        assert_eq!(Stat::parse(stat), Some(Stat { parent: 1, own: 175, ended: 5 }));
        assert_eq!(Stat::parse("nothing"), None);
    }

    #[test]
    fn what_a_shell_starts_is_part_of_it() {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 60 & read line"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while family(shell.id()).unwrap().len() < 2 {
            assert!(std::time::Instant::now() < deadline, "the child is not seen");
        }
        let family = family(shell.id()).unwrap();
        for id in family.into_keys() {
            Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
        }
        shell.wait().unwrap();
    }
}
