//! Who reads the topic: each as a process of its own, watched from outside in the same way.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::child::{Child, on_core};
use crate::consume::{Read, Saw};
use crate::decided::{self, ATTRIBUTION};
use crate::door::{Door, Server};
use crate::floor;
use crate::matcher::Matcher;
use crate::options::{Job, Options};
use crate::peer::{self, Peer};
use crate::service::Service;
use crate::truth::Truth;
use crate::world::World;

pub(crate) enum Contender {
    /// A bare consumer, and how far it goes.
    Consumer(Read),
    Service(Service),
    Matcher(Matcher),
    /// All three stages.
    Attribution,
    Door(Door),
    Peer(Peer),
}

/// What one reading of the whole topic cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Cost {
    /// Of the process and what it started, from its start until it had read everything.
    pub(crate) cpu_seconds: f64,
    /// Of the Redis server meanwhile.
    pub(crate) redis_seconds: f64,
    /// Of the broker.
    #[serde(default)]
    pub(crate) kafka_seconds: f64,
    pub(crate) wall_seconds: f64,
    pub(crate) peak_mib: f64,
    /// By so much Redis grew.
    #[serde(default)]
    pub(crate) redis_bytes: u64,
    /// Where valgrind counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instructions: Option<u64>,
}

pub(crate) const BARE: &str = "bare librdkafka";
/// Everything that must be done, in the straightforward way, run for real.
pub(crate) const FLOOR: &str = "+ sums to Redis: the composed floor";
const STEPS: [Read; 4] = [Read::Nothing, Read::Fields, Read::Counts, Read::Stores];
/// So many rules `postbacks` is given.
const RULES: [usize; 6] = [0, 10, 100, 1_000, 10_000, 100_000];
const LONGEST_ROUND: Duration = Duration::from_secs(900);

/// All that take part, in the order in which they read. Peers are built here.
pub(crate) fn contenders(options: &Options) -> anyhow::Result<Vec<Contender>> {
    let service = Contender::Service;
    Ok(match options.job {
        Job::Reports => {
            let peers = peer::chosen(&options.peers)?.into_iter().map(Contender::Peer);
            STEPS.map(Contender::Consumer).into_iter().chain([service(Service::REPORTS)]).chain(peers).collect()
        }
        Job::Price => vec![service(Service::UNGUARDED), service(Service::REPORTS)],
        Job::Instructions => [Service::UNGUARDED, Service::REPORTS].map(|it| service(it.under_valgrind())).into(),
        Job::Rules => [Contender::Consumer(Read::Nothing), Contender::Consumer(Read::Fields)]
            .into_iter()
            .chain(RULES.map(|rules| Contender::Matcher(Matcher::with(rules))))
            .collect(),
        Job::Ingest => [1, 10, 100]
            .into_iter()
            .flat_map(|each| [Server::Bare, Server::Ingest].map(|server| Contender::Door(Door::of(server, each))))
            .collect(),
        Job::Attribution => {
            vec![Contender::Consumer(Read::Nothing), Contender::Consumer(Read::Fields), Contender::Attribution]
        }
    })
}

impl Contender {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Consumer(Read::Nothing) => BARE,
            Self::Consumer(Read::Fields) => "+ parse",
            Self::Consumer(Read::Counts) => "+ count",
            Self::Consumer(Read::Stores) => FLOOR,
            Self::Service(service) => service.name,
            Self::Matcher(matcher) => &matcher.name,
            Self::Attribution => ATTRIBUTION,
            Self::Door(door) => &door.name,
            Self::Peer(peer) => &peer.title,
        }
    }

    /// Why it cannot take part at all.
    pub(crate) fn trouble(&self) -> Option<&str> {
        match self {
            Self::Peer(peer) => peer.trouble.as_deref(),
            _ => None,
        }
    }

    /// So many times the CPU of `reports` it is expected to need at least.
    pub(crate) fn goal(&self) -> Option<f64> {
        match self {
            Self::Peer(peer) => peer.goal,
            _ => None,
        }
    }

    /// In so many rounds it takes part.
    pub(crate) fn rounds(&self) -> usize {
        match self {
            Self::Peer(peer) => peer.rounds.unwrap_or(usize::MAX),
            _ => usize::MAX,
        }
    }

    /// Whether the bench goes on without it when it fails.
    pub(crate) fn may_fail(&self) -> bool {
        matches!(self, Self::Peer(_))
    }

    /// Reads the topic to its end once, and checks the result. `round` is new each time.
    pub(crate) fn read(&self, world: &World, truth: &Truth, round: u64) -> anyhow::Result<Cost> {
        world.stop.check()?;
        world.empty_redis()?;
        let watch = Watch::start(world)?;
        match self {
            Self::Consumer(read) => consume(*read, truth, &watch),
            Self::Service(service) => service.read(truth, round, &watch),
            Self::Matcher(matcher) => matcher.read(truth, round, &watch),
            Self::Attribution => decided::read(truth, round, &watch),
            Self::Door(door) => door.read(truth, round, &watch),
            Self::Peer(peer) => peer.read(truth, round, &watch),
        }
    }
}

/// One reading, as it is seen from outside.
pub(crate) struct Watch<'a> {
    pub(crate) world: &'a World,
    began: Instant,
    redis_seconds: f64,
    kafka_seconds: f64,
    redis_bytes: u64,
}

impl<'a> Watch<'a> {
    fn start(world: &'a World) -> anyhow::Result<Self> {
        let [redis_seconds, kafka_seconds] = [world.redis.own_cpu_seconds()?, world.kafka.own_cpu_seconds()?];
        let (began, redis_bytes) = (Instant::now(), world.redis_bytes()?);
        Ok(Self { world, began, redis_seconds, kafka_seconds, redis_bytes })
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.began + LONGEST_ROUND
    }

    /// What it cost up to now.
    pub(crate) fn cost(&self, child: &Child) -> anyhow::Result<Cost> {
        Ok(Cost {
            cpu_seconds: child.cpu_seconds()?,
            redis_seconds: self.world.redis.own_cpu_seconds()? - self.redis_seconds,
            kafka_seconds: self.world.kafka.own_cpu_seconds()? - self.kafka_seconds,
            wall_seconds: self.began.elapsed().as_secs_f64(),
            peak_mib: child.peak_mib()?,
            redis_bytes: self.world.redis_bytes()?.saturating_sub(self.redis_bytes),
            instructions: None,
        })
    }
}

fn consume(read: Read, truth: &Truth, watch: &Watch<'_>) -> anyhow::Result<Cost> {
    let world = watch.world;
    let mut command = on_core(world.core, std::env::current_exe()?);
    command.args([
        "consume",
        "--brokers",
        &world.brokers(),
        "--topic",
        truth.topic,
        "--records",
        &truth.records.to_string(),
    ]);
    command.args(["--redis", &world.redis_port.to_string(), "--read", read.name()]);
    let mut child = Child::ask("consume", command, world.folder())?;
    let answer = child.answer("", (&world.stop, watch.deadline()))?;
    let cost = watch.cost(&child)?;
    let saw: Saw = serde_json::from_str(&answer).context("reading what a consumer saw")?;
    let expected = Saw { records: truth.records, times: saw.times.map(|_| truth.times) };
    ensure!(saw == expected, "wrong count: {expected:?} was produced, but {saw:?} was read");
    if read == Read::Stores {
        floor::check(world.redis_port, truth)?;
    }
    Ok(cost)
}
