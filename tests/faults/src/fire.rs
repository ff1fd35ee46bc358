//! What a row works with: the suite under load, the seed, and the clock of the recovery.

use std::fmt::Display;
use std::ops::Range;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use testkit::{Kafka, Receiver, RedisCluster, Suite};

use crate::fold::{Logs, answered};
use crate::load::Load;
use crate::row::Servers;
use crate::truth::SOURCES;
use crate::verdict::{Outside, Verdict};

/// One run of one row.
pub(crate) struct Fire {
    /// Stands in the suite's folder, and must be gone before it.
    cluster: Option<RedisCluster>,
    pub(crate) suite: Suite,
    pub(crate) receiver: Receiver,
    pub(crate) load: Load,
    pub(crate) random: StdRng,
    since: Option<Instant>,
    pub(crate) recoveries: Vec<Duration>,
    pub(crate) notes: Vec<String>,
    repeats_allowed: usize,
    judges_deliveries: bool,
}

/// What one process may have in flight to the networks: three endpoints, each with a concurrency of 8.
pub(crate) const IN_FLIGHT: usize = 3 * 8;
const SERVICES: [&str; 4] = ["ingest", "attribution", "reports", "postbacks"];
const STEP: Duration = Duration::from_millis(50);
/// How long the suite may take to bring everything to its end after the load has stopped.
const DRAIN: Duration = Duration::from_secs(120);
const QUESTION: &str = "/v1/stats?from=2026-11-01&to=2027-10-30&granularity=total&group_by=media_source";

impl Fire {
    /// Starts servers, two replicas of every service, and the load.
    pub(crate) fn light(servers: Servers, seed: u64) -> Self {
        let receiver = Receiver::start();
        let mut suite = match servers {
            Servers::Plain | Servers::Cluster => Suite::start(),
            Servers::ThreeBrokers => Suite::on(Kafka::start_three),
            Servers::Proxied => Suite::on(Kafka::start_behind_proxy),
        };
        let cluster = (servers == Servers::Cluster).then(|| RedisCluster::start(suite.folder().join("cluster")));
        if let Some(cluster) = &cluster {
            SERVICES.iter().for_each(|service| suite.set(service, "redis.url", &cluster.url()));
        }
        suite.rules(&receiver.rules(&SOURCES));
        suite.set("attribution", "hold", "1s");
        let replicas = SERVICES.iter().flat_map(|service| [(*service).to_owned(), format!("{service}-2")]);
        let names: Vec<String> = replicas.collect();
        names.iter().for_each(|name| suite.launch(name));
        names.iter().for_each(|name| suite.ready(name));
        let doors = ["ingest", "ingest-2"].map(|name| suite.url(name));
        let load = Load::start(doors.into(), &suite.kafka.config(), seed);
        let mut fire = Self {
            suite,
            receiver,
            cluster,
            load,
            random: StdRng::seed_from_u64(seed),
            since: None,
            recoveries: Vec::new(),
            notes: Vec::new(),
            repeats_allowed: 0,
            judges_deliveries: true,
        };
        fire.flows(Duration::from_secs(60));
        fire.recoveries.clear();
        fire
    }

    /// The servers that the services keep their state in, where the row asked for a cluster.
    pub(crate) fn cluster(&self) -> &RedisCluster {
        self.cluster.as_ref().unwrap()
    }

    /// Lets the load run for a time that the seed picks.
    pub(crate) fn run_for(&mut self, range: Range<Duration>) {
        pause(self.random.random_range(range));
    }

    /// One of so many, as the seed says.
    pub(crate) fn pick(&mut self, of: usize) -> usize {
        self.random.random_range(0..of)
    }

    /// The fault begins now.
    pub(crate) fn broken(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Its cause is gone: from now on, recovery is counted.
    pub(crate) fn mended(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Waits until everything that Kafka had acknowledged when this was called is counted, and something newer too.
    pub(crate) fn flows(&mut self, limit: Duration) {
        let (installs, acknowledged) = (self.load.installs(), self.load.acknowledged());
        self.recovers("work flows again", limit, |fire| {
            let counted = fire.counted().unwrap_or_default();
            let newer = fire.load.acknowledged();
            if counted > installs && newer > acknowledged {
                Ok(())
            } else {
                Err(format!("{counted} installs counted of {installs}; acknowledged {acknowledged}, now {newer}"))
            }
        });
    }

    /// Waits until the condition holds, and notes the seconds since the fault began, or its cause was gone.
    pub(crate) fn recovers(&mut self, what: &str, limit: Duration, is: impl Fn(&Self) -> Result<(), String>) {
        let (asked_at, since) = (Instant::now(), self.since.unwrap_or_else(Instant::now));
        while let Err(why) = is(self) {
            assert!(asked_at.elapsed() < limit, "not within {limit:?}: {what}: {why}{}", self.troubles());
            pause(STEP);
        }
        self.recoveries.push(since.elapsed());
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub(crate) fn figure(&mut self, name: &str, value: impl Display) {
        self.notes.push(format!("{name}: {value}"));
    }

    /// So many requests may come again and say so: those that were in flight when the process died.
    pub(crate) fn allow_repeats(&mut self, repeats: usize) {
        self.repeats_allowed = repeats;
    }

    /// The row lets networks refuse for good, and judges deliveries itself.
    pub(crate) fn leave_deliveries(&mut self) {
        self.judges_deliveries = false;
    }

    /// What every network answers from now on.
    pub(crate) fn endpoints_answer(&self, status: u16) {
        SOURCES.iter().for_each(|source| self.receiver.answer(source, status));
    }

    /// Stops the load, and waits until nothing moves any more.
    pub(crate) fn quiet(&mut self) {
        self.load.stop();
        let installs = self.load.installs();
        self.recovers("all is counted", DRAIN, |fire| match fire.counted() {
            Some(counted) if counted >= installs => Ok(()),
            counted => Err(format!("{counted:?} of {installs}")),
        });
        self.recoveries.pop();
    }

    /// How many installs are counted, as either replica says.
    pub(crate) fn counted(&self) -> Option<u64> {
        self.totals()?["totals"]["installs"].as_u64()
    }

    /// The largest resident memory that any service has had, in MiB, and whose it was.
    pub(crate) fn peak(&self) -> (u64, String) {
        let of = |(name, replica): (&String, &testkit::Replica)| Some((replica.process.peak()? >> 20, name.clone()));
        self.suite.services.iter().filter_map(of).max().unwrap_or_default()
    }

    /// Stops the load and judges, again and again until nothing is left to do; then once more.
    pub(crate) fn verdict(&mut self) -> Verdict {
        self.load.stop();
        let asked_at = Instant::now();
        loop {
            match self.judge() {
                Ok(verdict) if verdict.is_clean() => break,
                Ok(verdict) if asked_at.elapsed() > DRAIN => return verdict,
                Err(why) if asked_at.elapsed() > DRAIN => {
                    panic!("no verdict within {DRAIN:?}: {why}{}", self.troubles())
                }
                _ => pause(Duration::from_millis(500)),
            }
        }
        self.check_processes();
        pause(Duration::from_secs(2));
        self.judge().unwrap()
    }

    /// Ends a run that has findings: its panic makes every process show the end of its log.
    pub(crate) fn give_up(self, verdict: &Verdict) -> ! {
        let Verdict { lost, double, wrong, .. } = verdict;
        let short = |each: &[String]| format!("{}: {:?}", each.len(), &each[..each.len().min(5)]);
        panic!("lost {}; double {}; wrong {}", short(lost), short(double), short(wrong));
    }

    fn judge(&self) -> Result<Verdict, String> {
        let answer = self.totals().ok_or("reports does not answer")?;
        let logs = Logs::read(&self.suite.kafka.direct())?;
        let (counts, hits) = (answered(&answer), self.receiver.all_hits());
        let outside = Outside { counts: &counts, hits: &hits, deliveries: self.judges_deliveries };
        let mut verdict = self.load.truth(|truth| Verdict::of(truth, &logs, &outside));
        verdict.judge_repeats(self.repeats_allowed);
        Ok(verdict)
    }

    fn check_processes(&self) {
        self.suite.services.keys().for_each(|name| self.suite.ready(name));
    }

    /// What each service says of itself: where something stands still, it should know.
    fn troubles(&self) -> String {
        let of = |name: &String| format!("\n{name}: {}", self.suite.troubles(name));
        self.suite.services.keys().map(of).collect()
    }

    fn totals(&self) -> Option<Value> {
        ["reports", "reports-2"].iter().find_map(|name| self.suite.try_ask(name, QUESTION))
    }
}

/// Lets time pass: the load runs meanwhile.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}
