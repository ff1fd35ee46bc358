//! A private Kafka and a private Redis on free ports, with their files in a folder that goes away with them.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::child::{Child, on_core};
use crate::stop::Stop;

/// The servers, the topics and the place of everything. The order of the fields is the order in which it goes away.
pub(crate) struct World {
    pub(crate) redis: Child,
    pub(crate) kafka: Child,
    pub(crate) redis_port: u16,
    kafka_port: u16,
    /// The core of whatever is measured.
    pub(crate) core: Option<usize>,
    /// The servers have the other one.
    pub(crate) servers_core: Option<usize>,
    pub(crate) stop: Stop,
    folder: TempDir,
}

pub(crate) const PARTITIONS: usize = 4;
const SERVERS_CORE: usize = 0;
const MEASURED_CORE: usize = 1;
const PATIENCE: Duration = Duration::from_secs(60);
const TURN: Duration = Duration::from_millis(100);

impl World {
    /// Starts the servers and applies the suite's topics.
    pub(crate) fn start(stop: Stop) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let two = std::thread::available_parallelism()?.get() > 1 && Command::new("taskset").arg("-V").output().is_ok();
        let [servers, core] = [SERVERS_CORE, MEASURED_CORE].map(|core| two.then_some(core));
        let [redis_port, kafka_port, controller_port] = [free_port()?, free_port()?, free_port()?];

        let mut command = on_core(servers, repository().join("deploy/redis-entrypoint.sh"));
        command.arg(repository().join("deploy/redis.conf")).args(["--bind", "127.0.0.1", "--port"]);
        command.arg(redis_port.to_string()).arg("--dir").arg(folder.path());
        let redis = Child::start("redis", command, folder.path())?;

        let mut command = on_core(servers, repository().join("deploy/kafka/kafka.sh"));
        command.args(["serve", "--port", &kafka_port.to_string(), "--controller-port", &controller_port.to_string()]);
        command.arg("--dir").arg(folder.path().join("kafka"));
        // A broker that is killed leaves the libraries that it unpacked.
        command.env("JAVA_TOOL_OPTIONS", format!("-Djava.io.tmpdir={}", folder.path().display()));
        let kafka = Child::start("kafka", command, folder.path())?;

        let mut world = Self { redis, kafka, redis_port, kafka_port, core, servers_core: servers, stop, folder };
        world.wait()?;
        world.apply_topics()?;
        Ok(world)
    }

    pub(crate) fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.kafka_port)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Empties Redis, so that every round finds the same.
    pub(crate) fn empty_redis(&self) -> anyhow::Result<()> {
        let mut redis = TcpStream::connect((Ipv4Addr::LOCALHOST, self.redis_port))?;
        redis.write_all(b"FLUSHALL SYNC\r\n")?;
        let mut answer = [0; 5];
        redis.read_exact(&mut answer)?;
        ensure!(&answer == b"+OK\r\n", "redis answers {:?}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    /// What Redis holds, in bytes, less what it has for its connections and its log.
    pub(crate) fn redis_bytes(&self) -> anyhow::Result<u64> {
        let mut redis = redis(self.redis_port)?;
        let told: redis::InfoDict = redis::cmd("INFO").arg("memory").query(&mut redis)?;
        let figure = |name| told.get::<u64>(name).with_context(|| format!("Redis says no {name}"));
        Ok(figure("used_memory")?.saturating_sub(figure("mem_clients_normal")? + figure("mem_aof_buffer")?))
    }

    /// What the records of a topic take on Kafka's disk.
    pub(crate) fn disk_bytes(&self, topic: &str) -> anyhow::Result<u64> {
        let mut bytes = 0;
        for partition in 0..PARTITIONS {
            for file in std::fs::read_dir(self.folder().join(format!("kafka/data/{topic}-{partition}")))? {
                let file = file?;
                if file.path().extension().is_some_and(|extension| extension == "log") {
                    bytes += file.metadata()?.len();
                }
            }
        }
        Ok(bytes)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let mut wait = Command::new(repository().join("deploy/kafka/kafka.sh"));
        let ready = wait.args(["wait", "--port", &self.kafka_port.to_string()]).status()?;
        self.stop.check()?;
        self.kafka.check()?;
        ensure!(ready.success(), "Kafka does not answer");
        let deadline = Instant::now() + PATIENCE;
        while self.empty_redis().is_err() {
            self.redis.check()?;
            pause(&self.stop, deadline)?;
        }
        Ok(())
    }

    fn apply_topics(&self) -> anyhow::Result<()> {
        let mut command = Command::new(binary("attributary")?);
        command
            .args(["topics", "apply", "--partitions", &PARTITIONS.to_string(), "--file"])
            .arg(repository().join("deploy/topics.toml"));
        let output = command.env("ATTRIBUTARY__KAFKA__BROKERS", self.brokers()).output()?;
        ensure!(output.status.success(), "topics apply: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// A connection to the Redis of a world.
pub(crate) fn redis(port: u16) -> anyhow::Result<redis::Connection> {
    Ok(redis::Client::open(("127.0.0.1", port))?.get_connection()?)
}

/// A program that was built beside this one.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{name} is not built beside the bench: run `make bench`");
    Ok(path)
}

pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?.local_addr()?.port())
}

/// Waits for a moment; an error once the time is up or the bench was told to end.
pub(crate) fn pause(stop: &Stop, deadline: Instant) -> anyhow::Result<()> {
    stop.check()?;
    if Instant::now() > deadline {
        bail!("this takes too long");
    }
    std::thread::sleep(TURN);
    Ok(())
}

/// Waits for so long; an error once the bench was told to end.
pub(crate) fn pause_for(stop: &Stop, time: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        stop.check()?;
        std::thread::sleep(TURN);
    }
    Ok(())
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
