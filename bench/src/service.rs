//! `reports`, as it ships or without its guarantee, until it has counted everything.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::callgrind;
use crate::child::{Child, on_core};
use crate::contender::{Cost, Watch};
use crate::record::{APPS, DAY, app_id};
use crate::truth::{GROUPS, Truth};
use crate::world::{World, binary, free_port, pause};

#[derive(Clone, Copy)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    binary: &'static str,
    counting: Counting,
}

/// What counts what it does.
#[derive(Clone, Copy, PartialEq)]
enum Counting {
    Kernel,
    Valgrind,
}

const STAGE: &str = "reports.installs";

/// A service of ours while it works.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) http: u16,
    admin: u16,
}

impl Service {
    pub(crate) const REPORTS: Self = Self { name: "reports", binary: "reports", counting: Counting::Kernel };
    pub(crate) const UNGUARDED: Self =
        Self { name: "reports without its guarantee", binary: "unguarded", counting: Counting::Kernel };

    pub(crate) fn under_valgrind(self) -> Self {
        Self { counting: Counting::Valgrind, ..self }
    }

    pub(crate) fn read(self, truth: &Truth, round: u64, watch: &Watch<'_>) -> anyhow::Result<Cost> {
        let world = watch.world;
        let counted = world.folder().join("instructions");
        let mut command = match self.counting {
            Counting::Kernel => on_core(world.core, binary(self.binary)?),
            Counting::Valgrind => {
                let mut command = on_core(world.core, "valgrind");
                callgrind::into(&mut command, &counted);
                command.arg(binary(self.binary)?);
                command
            }
        };
        command.env("ATTRIBUTARY__KAFKA__GROUP", format!("bench-{}-{round}", self.binary));
        let mut running = Running::start(self.binary, command, (world, round))?;
        running.work_off(STAGE, truth.records, watch)?;
        let mut cost = watch.cost(&running.child)?;
        if self.counting == Counting::Valgrind {
            cost.instructions = Some(instructions(&running.child, &counted)?);
        }
        check(running.http, truth)?;
        Ok(cost)
    }
}

impl Running {
    /// Starts a service with its defaults, beside the counters of earlier rounds.
    pub(crate) fn start(name: &str, mut command: Command, (world, round): (&World, u64)) -> anyhow::Result<Self> {
        let (http, admin) = (free_port()?, free_port()?);
        command
            .env("ATTRIBUTARY__KAFKA__BROKERS", world.brokers())
            .env("ATTRIBUTARY__REDIS__URL", format!("redis://127.0.0.1:{}/0", world.redis_port))
            .env("ATTRIBUTARY__REDIS__GENERATION", (round + 1).to_string())
            .env("ATTRIBUTARY__HTTP__LISTEN", format!("127.0.0.1:{http}"))
            .env("ATTRIBUTARY__ADMIN__LISTEN", format!("127.0.0.1:{admin}"));
        Ok(Self { child: Child::start(name, command, world.folder())?, http, admin })
    }

    /// Waits until it says that it is ready.
    pub(crate) fn get_ready(&mut self, watch: &Watch<'_>) -> anyhow::Result<()> {
        while get(self.admin, "/readyz").is_err() {
            self.child.check()?;
            pause(&watch.world.stop, watch.deadline())?;
        }
        Ok(())
    }

    /// How often its stages began anew.
    pub(crate) fn recoveries(&self) -> anyhow::Result<f64> {
        let metrics = get(self.admin, "/metrics")?;
        let counters = metrics.lines().filter(|line| line.starts_with("attributary_recoveries_total"));
        Ok(counters.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
    }

    /// Waits until it is ready, and this stage took so many records and has stored the last.
    pub(crate) fn work_off(&mut self, stage: &str, records: u64, watch: &Watch<'_>) -> anyhow::Result<()> {
        while !self.has_taken(stage, records) {
            self.child.check()?;
            pause(&watch.world.stop, watch.deadline())?;
        }
        Ok(())
    }

    /// A stage is not behind once it has found nothing more to take.
    fn has_taken(&self, stage: &str, records: u64) -> bool {
        let Ok(_ready) = get(self.admin, "/readyz") else { return false };
        let Ok(metrics) = get(self.admin, "/metrics") else { return false };
        let label = format!("{{stage=\"{stage}\"}}");
        let figure = |name: &str| -> Option<f64> {
            metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(&*label)?.trim().parse().ok())
        };
        let took = figure("attributary_records_total").unwrap_or_default();
        took as u64 >= records && figure("attributary_seconds_behind").unwrap_or_default() == 0.0
    }
}

fn check(http: u16, truth: &Truth) -> anyhow::Result<()> {
    for app in 0..APPS {
        let (id, groups) = (app_id(app), GROUPS.join(","));
        let path = format!("/v1/stats?app_id={id}&from={DAY}&to={DAY}&metrics=installs&group_by={groups}");
        let answer: Value = serde_json::from_str(&get(http, &path)?)?;
        truth.check(app, &answer)?;
    }
    Ok(())
}

/// A GET without a client library.
fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head and a body")?;
    ensure!(head.contains(" 200 "), "{path}: {answer}");
    Ok(body.to_owned())
}

/// What callgrind counted up to now, before questions about the counters are counted, too.
fn instructions(child: &Child, file: &Path) -> anyhow::Result<u64> {
    let dumped = Command::new("callgrind_control").arg("--dump").arg(child.id().to_string()).output()?;
    ensure!(dumped.status.success(), "callgrind_control: {}", String::from_utf8_lossy(&dumped.stderr));
    let dump = file.with_extension("1");
    let text = std::fs::read_to_string(&dump).context("reading what valgrind counted")?;
    callgrind::total(&text)
}
