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
use crate::world::{binary, free_port, pause};

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

const STAGE: &str = r#"{stage="reports.installs"}"#;

impl Service {
    pub(crate) const REPORTS: Self = Self { name: "reports", binary: "reports", counting: Counting::Kernel };
    pub(crate) const UNGUARDED: Self =
        Self { name: "reports without its guarantee", binary: "unguarded", counting: Counting::Kernel };

    pub(crate) fn under_valgrind(self) -> Self {
        Self { counting: Counting::Valgrind, ..self }
    }

    pub(crate) fn read(self, truth: &Truth, round: u64, watch: &Watch<'_>) -> anyhow::Result<Cost> {
        let world = watch.world;
        let (http, admin) = (free_port()?, free_port()?);
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
        command
            .env("ATTRIBUTARY__KAFKA__BROKERS", world.brokers())
            .env("ATTRIBUTARY__KAFKA__GROUP", format!("bench-{}-{round}", self.binary))
            .env("ATTRIBUTARY__REDIS__URL", format!("redis://127.0.0.1:{}/0", world.redis_port))
            .env("ATTRIBUTARY__REDIS__GENERATION", (round + 1).to_string())
            .env("ATTRIBUTARY__HTTP__LISTEN", format!("127.0.0.1:{http}"))
            .env("ATTRIBUTARY__ADMIN__LISTEN", format!("127.0.0.1:{admin}"));
        let mut child = Child::start(self.binary, command, world.folder())?;
        while !has_read_all(admin, truth.records) {
            child.check()?;
            pause(&world.stop, watch.deadline())?;
        }
        let mut cost = watch.cost(&child)?;
        if self.counting == Counting::Valgrind {
            cost.instructions = Some(instructions(&child, &counted)?);
        }
        check(http, truth)?;
        Ok(cost)
    }
}

/// Whether it is ready, took every record, and has found nothing more to take since it stored the last.
fn has_read_all(admin: u16, records: u64) -> bool {
    let Ok(_ready) = get(admin, "/readyz") else { return false };
    let Ok(metrics) = get(admin, "/metrics") else { return false };
    let figure = |name: &str| -> Option<f64> {
        metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(STAGE)?.trim().parse().ok())
    };
    let took = figure("attributary_records_total").unwrap_or_default();
    took as u64 >= records && figure("attributary_seconds_behind").unwrap_or_default() == 0.0
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
