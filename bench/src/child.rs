//! Processes that the bench starts and measures: each on its core, each gone with its value.

use std::ffi::OsStr;
use std::fs::{File, read_to_string};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::stop::Stop;
use crate::tree;

/// A running process and what it started; dropping it kills them.
pub(crate) struct Child {
    name: String,
    process: Process,
    log: PathBuf,
    answers: Option<Receiver<String>>,
}

const TURN: Duration = Duration::from_millis(100);

impl Child {
    /// Starts it; what it says goes to `<folder>/<name>.log`.
    pub(crate) fn start(name: &str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let (log, output) = open_log(name, folder)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let process = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self { name: name.to_owned(), process, log, answers: None })
    }

    /// Starts it; what it answers can be awaited, and it is to go on until it is dropped.
    pub(crate) fn ask(name: &str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let (log, output) = open_log(name, folder)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(output).process_group(0);
        let mut process = command.spawn().with_context(|| format!("starting {name}"))?;
        let output = process.stdout.take().context("its output is piped")?;
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name: name.to_owned(), process, log, answers: Some(answers) })
    }

    /// The rest of the first line that begins with `mark`.
    pub(crate) fn answer(&mut self, mark: &str, (stop, deadline): (&Stop, Instant)) -> anyhow::Result<String> {
        let answers = self.answers.take().context("it was asked")?;
        loop {
            match answers.recv_timeout(TURN) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(mark) {
                        return Ok(rest.trim().to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => bail!("{} takes too long", self.name),
                Err(RecvTimeoutError::Timeout) => stop.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    stop.check()?;
                    self.process.wait()?;
                    self.check()?;
                }
            }
        }
    }

    /// Fails with its last words once it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.process.try_wait()? else { return Ok(()) };
        let log = read_to_string(&self.log).unwrap_or_default();
        let from = log.lines().count().saturating_sub(10);
        let last_words: Vec<&str> = log.lines().skip(from).collect();
        bail!("{} ended ({status}):\n{}", self.name, last_words.join("\n"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Seconds of CPU that it and what it started have used, in user and system mode.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        tree::cpu_seconds(self.process.id())
    }

    /// The same without what it started.
    pub(crate) fn own_cpu_seconds(&self) -> anyhow::Result<f64> {
        tree::own_cpu_seconds(self.process.id())
    }

    /// The most memory that it and what it started ever held, in MiB.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        tree::peak_mib(self.process.id())
    }

    fn group(&self) -> anyhow::Result<Pid> {
        Pid::from_raw(self.process.id().cast_signed()).context("a process has an id")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The group outlives its leader while anything that it started runs.
        let killed = self.group().map(|group| kill_process_group(group, Signal::KILL));
        if let Err(error) = killed.and_then(|_gone| Ok(self.process.wait()?)) {
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
    let log = folder.join(format!("{}.log", name.replace('/', "-")));
    let output = File::create(&log).with_context(|| format!("making {}", log.display()))?;
    Ok((log, output))
}
