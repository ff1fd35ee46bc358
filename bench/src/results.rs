//! What was measured: one run of each job, kept as JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::contender::{Contender, Cost};
use crate::options::{Job, Options};
use crate::truth::Truth;
use crate::world::repository;
use crate::{page, picture};

/// The newest run of each job.
pub(crate) struct Results {
    folder: PathBuf,
    runs: BTreeMap<String, Run>,
}

/// All that one run of the bench found out.
#[derive(Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) machine: String,
    pub(crate) versions: String,
    pub(crate) pinned: bool,
    pub(crate) events: u64,
    #[serde(default)]
    pub(crate) malformed: u64,
    pub(crate) bytes_per_event: u64,
    /// On Kafka's disk, compressed, of one copy.
    #[serde(default)]
    pub(crate) disk_bytes_per_event: u64,
    /// Distinct counters of `reports`, and of the peers.
    pub(crate) counters: usize,
    #[serde(default)]
    pub(crate) peers_counters: usize,
    pub(crate) contenders: Vec<Entry>,
}

/// One contender's part in a run.
#[derive(Deserialize, Serialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// So many times the CPU of `reports` it is expected to need at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
    /// Starts on the empty topic, until every partition is assigned.
    pub(crate) starts: Vec<Cost>,
    pub(crate) rounds: Vec<Cost>,
}

/// The middle of some figures and their spread.
#[derive(Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Results {
    /// What is known from before; nothing, in a folder that has none.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join("results.json");
        let runs = match std::fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
        };
        Ok(Self { folder: folder.to_owned(), runs })
    }

    pub(crate) fn with(mut self, job: Job, run: Run) -> Self {
        self.runs.insert(job.name().to_owned(), run);
        self
    }

    pub(crate) fn of(&self, job: Job) -> Option<&Run> {
        self.runs.get(job.name())
    }

    /// Prints what this job found out, and writes everything that is known.
    pub(crate) fn publish(&self, job: Job) -> anyhow::Result<()> {
        println!("\n{}", page::section(self, job));
        std::fs::create_dir_all(&self.folder)?;
        let write = |name: &str, text: String| {
            std::fs::write(self.folder.join(name), text).with_context(|| format!("writing {name}"))
        };
        write("results.json", serde_json::to_string_pretty(&self.runs)? + "\n")?;
        write("RESULTS.md", page::page(self))?;
        match self.of(Job::Reports) {
            Some(run) => write("results.svg", picture::bars(run)),
            None => Ok(()),
        }
    }
}

impl Run {
    #[expect(clippy::disallowed_methods, reason = "results are dated")]
    pub(crate) fn new(
        options: &Options,
        truth: &Truth,
        (pinned, contenders): (bool, Vec<Entry>),
    ) -> anyhow::Result<Self> {
        Ok(Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            command: options.command(),
            machine: machine()?,
            versions: versions()?,
            pinned,
            events: truth.records,
            malformed: truth.malformed,
            bytes_per_event: truth.bytes / truth.records,
            disk_bytes_per_event: truth.disk_bytes / truth.records,
            counters: truth.counters(),
            peers_counters: truth.peers_counters(),
            contenders,
        })
    }

    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.contenders.iter().find(|entry| entry.name == name)
    }

    /// CPU microseconds per event, without what a start costs.
    pub(crate) fn micros(&self, entry: &Entry) -> Option<Spread> {
        Spread::of(entry.rounds.iter().map(|cost| entry.micros(cost, self.events)))
    }

    /// The same of Redis.
    pub(crate) fn redis_micros(&self, entry: &Entry) -> Option<Spread> {
        Spread::of(entry.rounds.iter().map(|cost| entry.redis_micros(cost, self.events)))
    }

    /// The same of Kafka.
    pub(crate) fn kafka_micros(&self, entry: &Entry) -> Option<Spread> {
        Spread::of(entry.rounds.iter().map(|cost| entry.kafka_micros(cost, self.events)))
    }

    /// By so many bytes Redis grew for each of so many things.
    pub(crate) fn redis_bytes(&self, entry: &Entry, of: u64) -> Option<Spread> {
        let grown = |cost: &Cost| entry.beyond_a_start(cost, of, |cost| cost.redis_bytes as f64);
        // Runs of before it was measured say 0.
        Spread::of(entry.rounds.iter().map(grown)).filter(|spread| spread.most > 0.0)
    }

    /// The ratios of one contender to another, each within a round.
    pub(crate) fn ratio(&self, of: &Entry, to: &Entry, figure: fn(&Entry, &Cost, u64) -> f64) -> Option<Spread> {
        let pairs = of.rounds.iter().zip(&to.rounds);
        Spread::of(pairs.map(|(a, b)| figure(of, a, self.events) / figure(to, b, self.events)))
    }
}

impl Entry {
    pub(crate) fn new(contender: &Contender) -> Self {
        Self {
            name: contender.name().to_owned(),
            goal: contender.goal(),
            failed: contender.trouble().map(str::to_owned),
            starts: Vec::new(),
            rounds: Vec::new(),
        }
    }

    pub(crate) fn micros(&self, cost: &Cost, events: u64) -> f64 {
        self.beyond_a_start(cost, events, |cost| cost.cpu_seconds * 1e6)
    }

    pub(crate) fn redis_micros(&self, cost: &Cost, events: u64) -> f64 {
        self.beyond_a_start(cost, events, |cost| cost.redis_seconds * 1e6)
    }

    fn kafka_micros(&self, cost: &Cost, events: u64) -> f64 {
        self.beyond_a_start(cost, events, |cost| cost.kafka_seconds * 1e6)
    }

    pub(crate) fn instructions(&self, cost: &Cost, events: u64) -> f64 {
        self.beyond_a_start(cost, events, |cost| cost.instructions.unwrap_or_default() as f64)
    }

    fn beyond_a_start(&self, cost: &Cost, events: u64, figure: impl Fn(&Cost) -> f64) -> f64 {
        let start = Spread::of(self.starts.iter().map(&figure)).map_or(0.0, |start| start.median);
        (figure(cost) - start) / events as f64
    }

    /// What a round cost, while the bench runs.
    pub(crate) fn words(&self, cost: &Cost, events: u64) -> String {
        if cost.instructions.is_some() {
            return format!("{:.0} instructions per event", self.instructions(cost, events));
        }
        let (own, redis) = (self.micros(cost, events), self.redis_micros(cost, events));
        format!("{own:.2} CPU µs per event, Redis {redis:.2}, {:.1} s", cost.wall_seconds)
    }
}

impl Spread {
    /// None of nothing.
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let (&least, &most) = (figures.first()?, figures.last()?);
        let median = f64::midpoint(figures[(figures.len() - 1) / 2], figures[figures.len() / 2]);
        Some(Self { median, least, most })
    }

    pub(crate) fn text(&self) -> String {
        format!("{:.2} ({:.2} – {:.2})", self.median, self.least, self.most)
    }
}

fn machine() -> anyhow::Result<String> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{cores} cores of {}", model.trim_start_matches(['\t', ' ', ':'])))
}

fn versions() -> anyhow::Result<String> {
    let pom = std::fs::read_to_string(repository().join("deploy/kafka/pom.xml"))?;
    let kafka = pom.lines().find_map(|line| line.strip_prefix("  <version>")?.strip_suffix("</version>"));
    let redis = Command::new("redis-server").arg("--version").output()?.stdout;
    let redis = String::from_utf8_lossy(&redis).into_owned();
    let redis = redis.split(' ').find_map(|word| word.strip_prefix("v="));
    let unknown = "unknown";
    Ok(format!(
        "reports {}, librdkafka {}, Kafka {}, Redis {}",
        env!("CARGO_PKG_VERSION"),
        rdkafka::util::get_rdkafka_version().1,
        kafka.unwrap_or(unknown),
        redis.unwrap_or(unknown)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_median_of_the_ratios_within_rounds_and_a_start_is_free() {
        let cost = |cpu_seconds| Cost { cpu_seconds, ..Cost::default() };
        let entry = |name: &str, start, rounds: [f64; 3]| Entry {
            name: name.to_owned(),
            goal: None,
            failed: None,
            starts: vec![cost(start)],
            rounds: rounds.map(cost).to_vec(),
        };
        let (bare, reports) = (entry("bare", 1.0, [2.0, 3.0, 2.0]), entry("reports", 2.0, [4.0, 10.0, 5.0]));
        let text = r#"{"date":"","command":"","machine":"","versions":"","pinned":false,"events":1,"bytes_per_event":1,
                       "counters":1,"contenders":[]}"#;
        let run: Run = serde_json::from_str(text).unwrap();
        let ratio = run.ratio(&reports, &bare, Entry::micros);
        assert_eq!(ratio, Some(Spread { median: 3.0, least: 2.0, most: 4.0 }));
    }
}
