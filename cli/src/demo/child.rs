//! Processes that the demo starts: each is a group of its own, logs to a file, and ends with the demo.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child as Process, Command};
use tokio_util::sync::CancellationToken;

/// In the order in which they were started.
pub(crate) struct Children {
    children: Vec<Child>,
    hurry: CancellationToken,
}

struct Child {
    name: String,
    process: Process,
    group: Pid,
    log: PathBuf,
    farewell: Farewell,
}

/// How a process is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// It finishes what it has in hand.
    Gentle,
    /// Its data goes away with it.
    Kill,
}

const GRACE: Duration = Duration::from_secs(15);
const LAST_LINES: usize = 12;

impl Children {
    pub(crate) fn new(hurry: CancellationToken) -> Self {
        Self { children: Vec::new(), hurry }
    }

    /// Starts a process whose output goes to `<folder>/<name>.log`.
    pub(crate) fn start(
        &mut self,
        name: &str,
        mut command: Command,
        (folder, farewell): (&Path, Farewell),
    ) -> anyhow::Result<()> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let process = command
            .stdin(std::process::Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {name} ({})", command.as_std().get_program().display()))?;
        let group = process
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
            .context("a process that was started has an id")?;
        self.children.push(Child { name: name.to_owned(), process, group, log, farewell });
        Ok(())
    }

    /// Fails when one of them has ended, with its name and the last lines of its log.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        for child in &mut self.children {
            if let Some(status) = child.process.try_wait()? {
                bail!("{} ended ({status}); the last lines of its log:\n{}", child.name, child.last_lines());
            }
        }
        Ok(())
    }

    /// Ends all of them, the last one first, and returns when they are gone.
    pub(crate) async fn stop(&mut self) {
        for child in self.children.iter().rev().filter(|child| child.farewell == Farewell::Gentle) {
            child.signal(Signal::TERM);
        }
        for mut child in self.children.drain(..).rev() {
            if child.farewell == Farewell::Gentle {
                tokio::select! {
                    _ = child.process.wait() => {}
                    () = tokio::time::sleep(GRACE) => {}
                    () = self.hurry.cancelled() => {}
                }
            }
            child.signal(Signal::KILL);
            // It is killed: there is nothing left that could go wrong, and nobody who could act on it.
            child.process.wait().await.ok();
        }
    }
}

impl Child {
    /// The whole group, so that nothing it started itself stays behind; one that is gone already needs no signal.
    fn signal(&self, signal: Signal) {
        kill_process_group(self.group, signal).ok();
    }

    fn last_lines(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    async fn within_ten_seconds<T>(mut condition: impl FnMut() -> Option<T>) -> T {
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(value) = condition() {
                return value;
            }
            assert!(std::time::Instant::now() < deadline, "nothing happened");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_process_that_ends_is_named_with_what_it_said_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut children = Children::new(CancellationToken::new());
        children.start("baker", shell("echo no flour >&2; exit 3"), (folder.path(), Farewell::Gentle)).unwrap();
        let said = within_ten_seconds(|| children.check().err()).await.to_string();
        assert!(said.starts_with("baker ended (exit status: 3)") && said.ends_with("no flour"), "{said}");
        children.stop().await;
    }

    #[tokio::test]
    async fn whatever_a_process_started_itself_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let mut children = Children::new(CancellationToken::new());
        let script =
            format!("sleep 600 & echo $! > {}.new; mv {}.new {}; wait", pid.display(), pid.display(), pid.display());
        children.start("parent", shell(&script), (folder.path(), Farewell::Kill)).unwrap();
        within_ten_seconds(|| pid.exists().then_some(())).await;
        let grandchild: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        children.stop().await;
        let is_gone = || {
            let status = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            (status.is_empty() || status.contains(") Z ")).then_some(())
        };
        within_ten_seconds(is_gone).await;
    }
}
