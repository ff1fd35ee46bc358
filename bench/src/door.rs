//! What a POST costs: `ingest` as it ships, and a bare hyper that reads the same bodies and does nothing with them.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use anyhow::{Context, ensure};
use event::topic;

use crate::child::{Child, on_core};
use crate::consume;
use crate::contender::{Cost, Watch};
use crate::post::Posted;
use crate::service::Running;
use crate::truth::Truth;
use crate::world::{World, binary, free_port, pause};

pub(crate) struct Door {
    pub(crate) name: String,
    server: Server,
    /// Events in a POST.
    each: u64,
}

const BARE: &str = "bare hyper";
const OURS: &str = "ingest";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Bare,
    Ingest,
}

impl Door {
    pub(crate) fn of(server: Server, each: u64) -> Self {
        let name = if server == Server::Bare { BARE } else { OURS };
        let plural = if each == 1 { "" } else { "s" };
        Self { name: format!("{name}, {each} event{plural} a POST"), server, each }
    }

    /// The name of the bare server that is sent the same as the one of this name.
    pub(crate) fn floor(name: &str) -> Option<String> {
        let each = name.strip_prefix(OURS).or_else(|| name.strip_prefix(BARE))?;
        Some(format!("{BARE}{each}"))
    }

    pub(crate) fn read(&self, truth: &Truth, round: u64, watch: &Watch<'_>) -> anyhow::Result<Cost> {
        let world = watch.world;
        let (mut child, port) = match self.server {
            Server::Bare => {
                let port = free_port()?;
                let mut command = on_core(world.core, std::env::current_exe()?);
                command.args(["serve", "--port", &port.to_string()]);
                (Child::start("serve", command, world.folder())?, port)
            }
            Server::Ingest => {
                let mut command = on_core(world.core, binary(OURS)?);
                command.env("ATTRIBUTARY__INGEST__OPEN", "true");
                command.env("ATTRIBUTARY__APPS__FILE", world.folder().join("no-apps.toml"));
                let mut running = Running::start(OURS, command, (world, round))?;
                running.get_ready(watch)?;
                (running.child, running.http)
            }
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        while TcpStream::connect(address).is_err() {
            child.check()?;
            pause(&world.stop, watch.deadline())?;
        }
        let before = stored(world)?;
        if truth.records > 0 {
            self.post(address, truth, watch)?;
        }
        let cost = watch.cost(&child)?;
        let expected = if self.server == Server::Ingest { truth.records } else { 0 };
        let found = stored(world)? - before;
        ensure!(found == expected, "wrong count: {expected} events were accepted, but Kafka has {found}");
        Ok(cost)
    }

    fn post(&self, address: SocketAddr, truth: &Truth, watch: &Watch<'_>) -> anyhow::Result<()> {
        let world = watch.world;
        let mut command = on_core(world.servers_core, std::env::current_exe()?);
        command.args(["post", "--to", &address.to_string(), "--each", &self.each.to_string()]);
        command.args(["--events", &truth.records.to_string()]);
        let mut child = Child::ask("post", command, world.folder())?;
        let answer = child.answer("", (&world.stop, watch.deadline()))?;
        let posted: Posted = serde_json::from_str(&answer).context("reading what was posted")?;
        ensure!(posted.accepted == truth.records, "{} of {} events were accepted", posted.accepted, truth.records);
        Ok(())
    }
}

/// How many records stand in `activity`.
fn stored(world: &World) -> anyhow::Result<u64> {
    let ends = consume::ends(&consume::consumer(&world.brokers())?, topic::ACTIVITY)?;
    Ok(ends.iter().map(|(_, end)| end.cast_unsigned()).sum())
}
