//! `postbacks` under so many rules, of which one applies to a few installs and the others name sources that send none.

use std::fmt::Write as _;

use anyhow::ensure;

use crate::child::on_core;
use crate::contender::{Cost, Watch};
use crate::record::{APPS, app_id, source_name};
use crate::service::Running;
use crate::truth::Truth;
use crate::world::{self, PARTITIONS, binary};

pub(crate) struct Matcher {
    pub(crate) name: String,
    rules: usize,
}

/// What the one rule that applies is about.
const APP: usize = 7;
const SOURCE: usize = 5;
const STAGE: &str = "postbacks.installs";
/// Nobody listens there, and it is asked once: what counts is that deliveries are scheduled.
const ENDPOINT: &str =
    "[[endpoint]]\nid = \"nobody\"\nurl = \"http://127.0.0.1:9099/\"\nrate = \"1/h\"\nconcurrency = 1\n";
const FROM: &str = "2026-01-01T00:00:00Z";

impl Matcher {
    pub(crate) fn with(rules: usize) -> Self {
        Self { name: format!("postbacks, {rules} rules"), rules }
    }

    pub(crate) fn read(&self, truth: &Truth, round: u64, watch: &Watch<'_>) -> anyhow::Result<Cost> {
        let world = watch.world;
        let file = world.folder().join(format!("{}.toml", self.rules));
        std::fs::write(&file, self.file()?)?;
        let mut command = on_core(world.core, binary("postbacks")?);
        command
            .env("ATTRIBUTARY__KAFKA__GROUP", format!("bench-postbacks-{}-{round}", self.rules))
            .env("ATTRIBUTARY__POSTBACKS__RULES", file)
            .env("ATTRIBUTARY__POSTBACKS__ALLOW_HTTP", "true")
            .env("ATTRIBUTARY__POSTBACKS__ALLOW_NETWORKS", r#"["127.0.0.0/8"]"#);
        let mut running = Running::start("postbacks", command, (world, round))?;
        running.work_off(STAGE, truth.records, watch)?;
        let cost = watch.cost(&running.child)?;
        self.check(world.redis_port, round, truth)?;
        Ok(cost)
    }

    fn file(&self) -> anyhow::Result<String> {
        let mut file = ENDPOINT.to_owned();
        if self.rules > 0 {
            rule(&mut file, 0, &app_id(APP), &source_name(SOURCE))?;
        }
        for number in 1..self.rules {
            rule(&mut file, number, &app_id(number % APPS), &format!("partner_{number}"))?;
        }
        Ok(file)
    }

    /// Whether a delivery waits for each install that the rule applies to.
    fn check(&self, port: u16, round: u64, truth: &Truth) -> anyhow::Result<()> {
        let mut redis = world::redis(port)?;
        let mut found = 0;
        for partition in 0..PARTITIONS {
            let key = format!("{{{STAGE}.{}:installs:{partition}}}:due:nobody", round + 1);
            found += redis::cmd("ZCARD").arg(&key).query::<u64>(&mut redis)?;
        }
        let meant = |[_, source, ..]: &[String; 4]| *source == source_name(SOURCE);
        let expected: u64 = match self.rules {
            0 => 0,
            _ => truth.counters_of(APP).filter(|(words, _)| meant(words)).map(|(_, count)| count).sum(),
        };
        ensure!(found == expected, "wrong count: {expected} deliveries are due, but {found} wait");
        Ok(())
    }
}

fn rule(file: &mut String, number: usize, app: &str, source: &str) -> anyhow::Result<()> {
    write!(file, "[[rule]]\nid = \"rule-{number}\"\nendpoint = \"nobody\"\ntopic = \"installs\"\nfrom = \"{FROM}\"\n")?;
    Ok(writeln!(file, "apps = [\"{app}\"]\nmedia_sources = [\"{source}\"]")?)
}
