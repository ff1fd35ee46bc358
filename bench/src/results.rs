//! What was measured, as a table, as a page and as JSON.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::Context;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::contender::{CONTENDERS, Contender, Cost};
use crate::rounds::Options;
use crate::truth::Truth;
use crate::world::repository;

/// What each contender cost, in their order.
pub(crate) type Costs = [Cost; CONTENDERS.len()];

/// All that one run of the bench found out.
#[derive(Serialize)]
pub(crate) struct Results {
    date: String,
    command: String,
    machine: String,
    versions: String,
    pinned: bool,
    events: u64,
    seed: u64,
    bytes_per_event: u64,
    counters: usize,
    contenders: [&'static str; CONTENDERS.len()],
    /// A start on the empty topic, until every partition is assigned.
    start: Costs,
    rounds: Vec<Costs>,
}

/// The middle of some figures and their spread.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

const GOAL: f64 = 4.5;

impl Results {
    #[expect(clippy::disallowed_methods, reason = "results are dated")]
    pub(crate) fn new(options: &Options, truth: &Truth, pinned: bool, start: Costs) -> anyhow::Result<Self> {
        let Options { events, rounds, seed } = *options;
        Ok(Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            command: format!("make bench ARGS=\"--events {events} --rounds {rounds} --seed {seed}\""),
            machine: machine()?,
            versions: versions()?,
            pinned,
            events,
            seed,
            bytes_per_event: truth.bytes / events,
            counters: truth.counters(),
            contenders: CONTENDERS.map(Contender::name),
            start,
            rounds: Vec::new(),
        })
    }

    /// Adds a round, and says what it cost.
    pub(crate) fn add(&mut self, costs: Costs) {
        self.rounds.push(costs);
        let each: Vec<String> =
            (0..CONTENDERS.len()).map(|i| format!("{} {:.2}", self.contenders[i], self.micros(&costs, i))).collect();
        println!("round {}: {} (CPU µs per event)", self.rounds.len(), each.join(" · "));
    }

    /// Prints the table and writes the files.
    pub(crate) fn publish(&self) -> anyhow::Result<()> {
        let table = self.table().to_string();
        let verdict = self.verdict();
        println!("\n{table}\n{verdict}");
        let folder = repository().join("bench");
        std::fs::write(folder.join("RESULTS.md"), self.page(&table, &verdict)).context("writing RESULTS.md")?;
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(folder.join("results.json"), json).context("writing results.json")
    }

    /// CPU microseconds per event, without what a start costs.
    fn micros(&self, costs: &Costs, contender: usize) -> f64 {
        (costs[contender].cpu_seconds - self.start[contender].cpu_seconds) * 1e6 / self.events as f64
    }

    fn spread(&self, figure: impl Fn(&Costs) -> f64) -> Spread {
        let mut figures: Vec<f64> = self.rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        let (least, most) = (figures[0], figures[figures.len() - 1]);
        Spread { median: f64::midpoint(figures[(figures.len() - 1) / 2], figures[figures.len() / 2]), least, most }
    }

    fn ratio(&self, contender: usize) -> Spread {
        self.spread(|costs| self.micros(costs, contender) / self.micros(costs, 0))
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header([
            "",
            "CPU µs per event: median (min – max)",
            "events a second per core",
            "ratio to bare librdkafka",
            "peak memory",
            "Redis' own CPU µs per event",
        ]);
        for (index, contender) in CONTENDERS.into_iter().enumerate() {
            let micros = self.spread(|costs| self.micros(costs, index));
            let redis = self.spread(|costs| costs[index].redis_seconds * 1e6 / self.events as f64);
            let redis = if contender == Contender::Reports { format!("{:.2}", redis.median) } else { String::new() };
            table.add_row([
                contender.name().to_owned(),
                micros.text(),
                format!("{:.0}", 1e6 / micros.median),
                self.ratio(index).text(),
                format!("{:.0} MiB", self.spread(|costs| costs[index].peak_mib).most),
                redis,
            ]);
        }
        table
    }

    fn verdict(&self) -> String {
        let ratio = self.ratio(CONTENDERS.len() - 1).median;
        let word = if ratio <= GOAL { "met" } else { "missed" };
        format!("The goal of at most {GOAL} times bare librdkafka is {word}: {ratio:.2}.")
    }

    fn page(&self, table: &str, verdict: &str) -> String {
        let mut page = String::from("# What an event costs `reports`\n\n");
        let Self { date, command, machine, versions, events, bytes_per_event, counters, .. } = self;
        let cores = if self.pinned {
            "Kafka and Redis run on one core, the measured process on another."
        } else {
            "Nothing is pinned to a core here."
        };
        // Writing into a string cannot fail.
        write!(
            page,
            "Made by `{command}` on {date}: {events} installs of {bytes_per_event} bytes of JSON, lz4, 4 partitions, \
             {counters} distinct counters.\n{machine}. {versions}.\n\n{table}\n\n{verdict}\n\n{}\n- {cores}\n",
            METHOD
        )
        .unwrap_or_default();
        page
    }
}

const METHOD: &str = "\
## How it is measured
- Each contender reads the same topic from its beginning to its end, in turn, round after round. Ratios are the median of
  the ratios within a round; the machine's other work moves absolute times more than ratios.
- *bare librdkafka* takes every record by `poll`, with the consumer settings of `reports`, and does nothing with it;
  *+ parse* also reads the fields that `reports` counts by. *reports* is the shipped binary with its defaults, exactly-once
  into a real Redis, until `as_of` of `/v1/stats` stands at the end of every partition.
- The time is user and system time of the whole process, librdkafka's threads included (`/proc/<pid>/stat`). What a start
  costs was measured on the empty topic, until every partition was assigned, and is taken off each.
- Apps, media sources, campaigns and countries follow Zipf's law (exponent 1; 20 × 25 × 4 × 50), spread over 24 hours.
- Every round is checked against what was produced: the bare readers by number (and the sum of times), `reports` counter by
  counter. One wrong count fails the bench. Redis is emptied between rounds. `results.json` has every round.";

impl Spread {
    fn text(&self) -> String {
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
        let cost = |cpu_seconds| Cost { cpu_seconds, redis_seconds: 0.0, wall_seconds: 1.0, peak_mib: 1.0 };
        let options = Options { events: 1, rounds: 3, seed: 1 };
        let start = [1.0, 1.0, 2.0].map(cost);
        let mut results = Results::new(&options, &Truth::default(), false, start).unwrap();
        for (bare, reports) in [(2.0, 4.0), (3.0, 10.0), (2.0, 5.0)] {
            results.add([bare, bare, reports].map(cost));
        }
        let ratio = results.ratio(2);
        assert_eq!((ratio.median, ratio.least, ratio.most), (3.0, 2.0, 4.0));
        assert!(results.verdict().contains("met: 3.00"));
    }
}
