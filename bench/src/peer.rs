//! The peers: programs in other languages and frameworks that do the job of `reports`, each in a folder of bench/peers.
//!
//! A folder has `peer.json` (title and variants), `build` (prepares it; exit 69 where a toolchain is missing) and `run`
//! (becomes the program). The program reads the whole topic, counts by (app, day, media source, country) into Redis, commits
//! its offsets, prints `done <records>`, and waits until its input ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use event::topic;
use serde::Deserialize;

use crate::child::{Child, on_core};
use crate::contender::{Cost, Watch};
use crate::record::{APPS, DAY, app_id};
use crate::truth::{Truth, VALUES};
use crate::world::{self, repository};

pub(crate) struct Peer {
    pub(crate) title: String,
    /// Why it cannot run here.
    pub(crate) trouble: Option<String>,
    /// So many times the CPU of `reports` it is expected to need at least.
    pub(crate) goal: Option<f64>,
    /// In so many rounds it takes part, where it is too slow for all of them.
    pub(crate) rounds: Option<usize>,
    folder: PathBuf,
    variant: String,
}

#[derive(Deserialize)]
struct Card {
    title: String,
    #[serde(default)]
    variants: BTreeMap<String, Variant>,
    /// Why there is nothing to run.
    absent: Option<String>,
}

#[derive(Deserialize)]
struct Variant {
    /// What it is, in a few words.
    words: String,
    /// So many times the CPU of `reports` it is expected to need at least.
    goal: Option<f64>,
    /// In so many rounds it takes part, where it is too slow for all of them.
    rounds: Option<usize>,
}

/// The variants of the folders that were asked for, each built.
pub(crate) fn chosen(names: &[String]) -> anyhow::Result<Vec<Peer>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(repository().join("bench/peers"))? {
        let folder = entry?.path();
        if folder.join("peer.json").exists() {
            folders.push(folder);
        }
    }
    folders.sort();
    let mut peers = Vec::new();
    for name in names.iter().filter(|name| *name != "none") {
        let (name, variant) =
            name.split_once('/').map_or((name.as_str(), None), |(name, variant)| (name, Some(variant)));
        let before = peers.len();
        for folder in folders.iter().filter(|folder| name == "all" || folder.ends_with(name)) {
            peers.extend(variants(folder)?.into_iter().filter(|peer| variant.is_none_or(|name| name == peer.variant)));
        }
        ensure!(
            peers.len() > before,
            "bench/peers has no {name}{}",
            variant.map(|v| format!("/{v}")).unwrap_or_default()
        );
    }
    Ok(peers)
}

fn variants(folder: &Path) -> anyhow::Result<Vec<Peer>> {
    let card = std::fs::read_to_string(folder.join("peer.json"))?;
    let card: Card = serde_json::from_str(&card).with_context(|| format!("reading {}", folder.display()))?;
    if let Some(absent) = card.absent {
        let trouble = Some(absent);
        let (folder, variant) = (folder.to_owned(), String::new());
        return Ok(vec![Peer { title: card.title, trouble, goal: None, rounds: None, folder, variant }]);
    }
    println!("building {}", card.title);
    let trouble = build(folder).err().map(|error| format!("{error:#}"));
    let peer = |(variant, Variant { words, goal, rounds }): (String, Variant)| Peer {
        goal,
        rounds,
        title: format!("{}: {words}", card.title),
        trouble: trouble.clone(),
        folder: folder.to_owned(),
        variant,
    };
    Ok(card.variants.into_iter().map(peer).collect())
}

fn build(folder: &Path) -> anyhow::Result<()> {
    let output = Command::new(folder.join("build")).env("PEER_CACHE", cache(folder)?).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    bail!("not built: {}", said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it did not say why").trim())
}

/// Where what was built is kept.
fn cache(folder: &Path) -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("ATTRIBUTARY_CACHE").map(PathBuf::from);
    let usual = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/attributary"));
    let cache = cache.or_else(usual).context("HOME is not set")?.join("peers");
    let cache = cache.join(folder.file_name().context("a folder has a name")?);
    std::fs::create_dir_all(&cache)?;
    Ok(cache)
}

impl Peer {
    pub(crate) fn read(&self, truth: &Truth, round: u64, watch: &Watch<'_>) -> anyhow::Result<Cost> {
        let world = watch.world;
        let name = format!("{}-{}", self.folder.file_name().unwrap_or_default().display(), self.variant);
        let mut command = on_core(world.core, self.folder.join("run"));
        command
            .arg(&self.variant)
            .env("PEER_CACHE", cache(&self.folder)?)
            .env("PEER_BROKERS", world.brokers())
            .env("PEER_TOPIC", topic::INSTALLS)
            .env("PEER_GROUP", format!("peer-{name}-{round}"))
            .env("PEER_RECORDS", truth.records.to_string())
            .env("PEER_REDIS_PORT", world.redis_port.to_string());
        let mut child = Child::ask(&name, command, world.folder())?;
        let done = child.answer("done ", (&world.stop, watch.deadline()))?;
        let cost = watch.cost(&child)?;
        ensure!(done == truth.records.to_string(), "wrong count: it says that it read {done} of {}", truth.records);
        check(world.redis_port, truth)?;
        Ok(cost)
    }
}

/// Every counter: `installs:<app>:<day>`, and in it `<media source>|<country>`.
fn check(port: u16, truth: &Truth) -> anyhow::Result<()> {
    let mut redis = world::redis(port)?;
    for app in 0..APPS {
        let key = format!("installs:{}:{DAY}", app_id(app));
        let found: BTreeMap<String, u64> = redis::cmd("HGETALL").arg(&key).query(&mut redis)?;
        let expected = truth.by_source_and_country(app);
        ensure!(
            found.len() == expected.len(),
            "wrong count: {} counters in {key}, not {}",
            found.len(),
            expected.len()
        );
        for (values, count) in expected {
            let field = values.join(VALUES);
            let seen = found.get(&field);
            ensure!(seen == Some(&count), "wrong count: {key} {field} is {count}, but {seen:?} was found");
        }
    }
    Ok(())
}
