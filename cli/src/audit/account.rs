//! What each stage says of its partitions: position and balance, read at one moment.

use std::collections::{BTreeSet, HashSet};

use anyhow::bail;
use event::topic;
use ledger::{Ask, Index, Redis, Seen, Value};
use stream::{Balance, Group, Kafka, Offset, Watermarks};

use crate::stages::{KnownStage, Place, STAGES};

/// The balance of one partition of one stage.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub stage: KnownStage,
    pub partition: i32,
    pub position: Offset,
    pub balance: Balance,
    /// The store was emptied once and built anew.
    pub rebuilt: bool,
    /// Deliveries that wait, by number; only postbacks have any.
    pub pending: HashSet<u128>,
}

impl Account {
    /// Whether the balance holds the record at this offset.
    pub(crate) fn covers(&self, offset: i64) -> bool {
        (self.balance.since.0..self.position.0).contains(&offset)
    }

    /// The service, as dead letters name it.
    pub(crate) fn service(&self) -> &'static str {
        self.stage.name.split('.').next().unwrap_or_default()
    }

    pub(crate) fn schedules(&self) -> bool {
        self.service() == "postbacks"
    }
}

/// The number that a delivery id writes in hexadecimal.
pub(crate) fn delivery_number(id: &str) -> Option<u128> {
    u128::from_str_radix(id, 16).ok()
}

/// Every partition that any stage ever read.
pub(crate) fn read(kafka: &Kafka, redis: &Redis) -> anyhow::Result<Vec<Account>> {
    let log = Watermarks::open(kafka)?;
    let mut accounts = Vec::new();
    for stage in STAGES {
        let partitions = log.partitions(stage.topic)?;
        accounts.extend(match stage.place {
            Place::Publisher => of_group(kafka, stage)?,
            Place::Ledger => of_ledger(redis, stage, &partitions)?,
        });
    }
    if accounts.is_empty() {
        bail!("no stage has stored anything here (--redis, --kafka)");
    }
    Ok(accounts)
}

fn of_group(kafka: &Kafka, stage: KnownStage) -> anyhow::Result<Vec<Account>> {
    let account = |(partition, position, balance)| Account {
        stage,
        partition,
        position,
        balance,
        rebuilt: false,
        pending: HashSet::new(),
    };
    Ok(Group::open(kafka, stage.name)?.balances(stage.topic)?.into_iter().map(account).collect())
}

fn of_ledger(redis: &Redis, stage: KnownStage, partitions: &[i32]) -> anyhow::Result<Vec<Account>> {
    let mut index = Index::open(redis, stage.name, stage.topic)?;
    let mut accounts = Vec::new();
    for &partition in partitions {
        let (seen, pending) = look(&mut index, partition)?;
        let Some(position) = seen.position else { continue };
        let mut values = seen.values.into_iter();
        let balance = values.next().and_then(Value::balance).unwrap_or_else(|| Balance::new(position));
        let rebuilt = values.next().and_then(Value::bytes).is_some();
        accounts.push(Account { stage, partition, position, balance, rebuilt, pending });
    }
    Ok(accounts)
}

/// Everything of a partition at one moment. Which endpoints have anything is known only after a first look.
fn look(index: &mut Index, partition: i32) -> anyhow::Result<(Seen, HashSet<u128>)> {
    let base = [Ask::balance(), Ask::Get("rebuilding_until".into()), Ask::Members("endpoints".into())];
    let mut known: BTreeSet<String> = BTreeSet::new();
    loop {
        let due = known.iter().map(|endpoint| Ask::ZRange(format!("due:{endpoint}")));
        let asks: Vec<Ask> = base.iter().cloned().chain(due).collect();
        let mut seen = index.fetch(&[partition], &asks)?.remove(0);
        let waiting: Vec<Value> = seen.values.split_off(base.len());
        let endpoints = seen.values.pop().map(Value::members).unwrap_or_default();
        let endpoints = endpoints.into_iter().filter_map(|name| String::from_utf8(name).ok());
        let before = known.len();
        known.extend(endpoints);
        if known.len() == before {
            let ids = waiting.into_iter().flat_map(Value::members);
            let pending = ids.filter_map(|id| delivery_number(std::str::from_utf8(&id).ok()?)).collect();
            return Ok((seen, pending));
        }
    }
}

/// The topics that hold what a stage puts out.
pub(crate) fn outputs(stage: &KnownStage) -> &'static [&'static str] {
    match (stage.place, stage.name.starts_with("postbacks.")) {
        (Place::Publisher, _) => &[topic::INSTALLS, topic::EVENTS],
        (Place::Ledger, true) => &[topic::POSTBACKS],
        (Place::Ledger, false) => &[],
    }
}
