//! Who reads the topic: each as a process of its own, watched from outside in the same way.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::Value;

use crate::child::{Child, on_core};
use crate::consume::Saw;
use crate::record::{APPS, DAY, app_id};
use crate::truth::{GROUPS, Truth};
use crate::world::{World, binary, free_port, pause};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Bare,
    Parse,
    Reports,
}

pub(crate) const CONTENDERS: [Contender; 3] = [Contender::Bare, Contender::Parse, Contender::Reports];

/// What one reading of the whole topic cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cost {
    /// Of the whole process, from its start until it had read everything.
    pub(crate) cpu_seconds: f64,
    /// Of the Redis server meanwhile.
    pub(crate) redis_seconds: f64,
    pub(crate) wall_seconds: f64,
    pub(crate) peak_mib: f64,
}

const LONGEST_ROUND: Duration = Duration::from_secs(900);

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare librdkafka",
            Self::Parse => "bare librdkafka + parse",
            Self::Reports => "reports",
        }
    }

    /// Reads the topic to its end once, and checks the result. `round` is new each time.
    pub(crate) fn read(self, world: &World, truth: &Truth, round: u64) -> anyhow::Result<Cost> {
        world.stop.check()?;
        let began = (Instant::now(), world.redis.cpu_seconds()?);
        match self {
            Self::Bare => consume(world, truth, ("nothing", began)),
            Self::Parse => consume(world, truth, ("fields", began)),
            Self::Reports => report(world, truth, (round, began)),
        }
    }
}

type Began = (Instant, f64);

fn cost(world: &World, child: &Child, (at, redis): Began) -> anyhow::Result<Cost> {
    Ok(Cost {
        cpu_seconds: child.cpu_seconds()?,
        redis_seconds: world.redis.cpu_seconds()? - redis,
        wall_seconds: at.elapsed().as_secs_f64(),
        peak_mib: child.peak_mib()?,
    })
}

fn consume(world: &World, truth: &Truth, (read, began): (&str, Began)) -> anyhow::Result<Cost> {
    let mut command = on_core(world.core, std::env::current_exe()?);
    command.args(["consume", "--brokers", &world.brokers(), "--records", &truth.records.to_string(), "--read", read]);
    let (mut child, answers) = Child::ask("consume", command, world.folder())?;
    let mut answer = String::new();
    BufReader::new(answers).read_line(&mut answer)?;
    if answer.is_empty() {
        world.stop.check()?;
        child.check()?;
    }
    let cost = cost(world, &child, began)?;
    let saw: Saw = serde_json::from_str(&answer).context("reading what a consumer saw")?;
    let expected = Saw { records: truth.records, times: saw.times.map(|_| truth.times) };
    ensure!(saw == expected, "wrong count: {expected:?} was produced, but {saw:?} was read");
    Ok(cost)
}

fn report(world: &World, truth: &Truth, (round, began): (u64, Began)) -> anyhow::Result<Cost> {
    let (http, admin) = (free_port()?, free_port()?);
    let mut command = on_core(world.core, binary("reports")?);
    command
        .env("ATTRIBUTARY__KAFKA__BROKERS", world.brokers())
        .env("ATTRIBUTARY__KAFKA__GROUP", format!("bench-{round}"))
        .env("ATTRIBUTARY__REDIS__URL", format!("redis://127.0.0.1:{}/0", world.redis_port))
        .env("ATTRIBUTARY__REDIS__GENERATION", (round + 1).to_string())
        .env("ATTRIBUTARY__HTTP__LISTEN", format!("127.0.0.1:{http}"))
        .env("ATTRIBUTARY__ADMIN__LISTEN", format!("127.0.0.1:{admin}"));
    let mut child = Child::start("reports", command, world.folder())?;
    let deadline = Instant::now() + LONGEST_ROUND;
    while !has_read_all(http, &truth.ends) {
        child.check()?;
        pause(&world.stop, deadline)?;
    }
    let cost = cost(world, &child, began)?;
    for app in 0..APPS {
        let (id, groups) = (app_id(app), GROUPS.join(","));
        let path = format!("/v1/stats?app_id={id}&from={DAY}&to={DAY}&metrics=installs&group_by={groups}");
        truth.check(app, &get(http, &path)?)?;
    }
    world.empty_redis()?;
    Ok(cost)
}

/// Whether the positions in `as_of` are the ends of the log. An answer about no app is cheap to give.
fn has_read_all(http: u16, ends: &[(i32, i64)]) -> bool {
    let Ok(answer) = get(http, "/v1/stats?app_id=none") else { return false }; // it is starting
    let partitions = &answer["as_of"]["installs"];
    ends.iter().all(|(id, end)| partitions[id.to_string()]["position"].as_i64() == Some(*end))
}

/// A GET without a client library.
fn get(port: u16, path: &str) -> anyhow::Result<Value> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head and a body")?;
    ensure!(head.contains(" 200 "), "{path}: {answer}");
    Ok(serde_json::from_str(body)?)
}
