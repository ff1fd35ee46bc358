//! Processes that the bench starts and measures: each on its core, each gone with its value.

use std::ffi::OsStr;
use std::fs::{File, read_to_string};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};

/// A running process; dropping it kills it.
pub(crate) struct Child {
    name: &'static str,
    process: Process,
    log: PathBuf,
}

impl Child {
    /// Starts it; what it says goes to `<folder>/<name>.log`.
    pub(crate) fn start(name: &'static str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let (log, output) = open_log(name, folder)?;
        let process = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn();
        Ok(Self { name, process: process.with_context(|| format!("starting {name}"))?, log })
    }

    /// Starts it; what it answers can be read, and it goes on until it is dropped.
    pub(crate) fn ask(name: &'static str, mut command: Command, folder: &Path) -> anyhow::Result<(Self, ChildStdout)> {
        let (log, output) = open_log(name, folder)?;
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(output).spawn();
        let mut process = process.with_context(|| format!("starting {name}"))?;
        let answers = process.stdout.take().context("its output is piped")?;
        Ok((Self { name, process, log }, answers))
    }

    /// Fails with its last words once it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.process.try_wait()? else { return Ok(()) };
        let log = read_to_string(&self.log).unwrap_or_default();
        let from = log.lines().count().saturating_sub(10);
        let last_words: Vec<&str> = log.lines().skip(from).collect();
        bail!("{} ended ({status}):\n{}", self.name, last_words.join("\n"))
    }

    /// Seconds of CPU that the whole process has used, in user and system mode.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let ticks = ticks(&stat).context("reading /proc/<pid>/stat")?;
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// The most memory that it ever held, in MiB.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        let status = read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("reading /proc/<pid>/status")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("bench: cannot end {}: {error}", self.name);
        }
    }
}

/// A command that runs on this core alone, where one is given.
pub(crate) fn on_core(core: Option<usize>, program: impl AsRef<OsStr>) -> Command {
    let Some(core) = core else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(core.to_string()).arg(program);
    command
}

fn open_log(name: &str, folder: &Path) -> anyhow::Result<(PathBuf, File)> {
    let log = folder.join(format!("{name}.log"));
    let output = File::create(&log).with_context(|| format!("making {}", log.display()))?;
    Ok((log, output))
}

/// User and system time of a line of /proc/<pid>/stat. The name before the last parenthesis may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut words = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut next = || words.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn the_time_of_a_process_is_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 11 12 13 14 150 25 0 0 20 0 3 0 99 1024 5";
        assert_eq!(ticks(stat), Some(175));
        assert_eq!(ticks("nothing"), None);
    }
}
