//! `attributary topics`: the topics as `deploy/topics.toml` wants them, and as they are.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;
use stream::admin::{Admin, Applied, Change, Growth, Topic, TopicPlan};
use stream::{Kafka, Watermarks};

use crate::connect::KafkaArgs;
use crate::output::{Output, say, table};

/// Makes the topics, or lists them. Nothing is ever deleted.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  attributary topics apply
  attributary topics apply --partitions 4 --kafka broker:9092
  attributary topics ls -o json")]
pub(crate) struct TopicsArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Creates what is missing and sets what differs.
    Apply(ApplyArgs),
    /// Lists topics with their partitions, records and own settings.
    Ls,
}

#[derive(Args, Debug)]
struct ApplyArgs {
    /// What shall be; without it, what this version of Attributary was built with.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Partitions of each topic that the file names no count for.
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: Option<i32>,
    /// Lets topics grow that have fewer partitions; a device then changes its partition.
    #[arg(long)]
    grow: bool,
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    topic: Topic,
    /// Offsets between the first and the end; control records count.
    records: i64,
}

pub(crate) fn run(args: TopicsArgs, output: Output) -> anyhow::Result<()> {
    let kafka = args.kafka.settings()?;
    match args.command {
        Command::Apply(apply) => {
            let mut plan = apply.file.as_deref().map_or_else(built_in_plan, read_plan)?;
            plan.defaults.partitions = apply.partitions.unwrap_or(plan.defaults.partitions);
            let growth = if apply.grow { Growth::Allowed } else { Growth::Refused };
            show_applied(&Admin::open(&kafka)?.apply(&plan, growth)?, output)
        }
        Command::Ls => list(&kafka, output),
    }
}

/// `deploy/topics.toml` as it was when this was built.
pub(crate) fn built_in_plan() -> anyhow::Result<TopicPlan> {
    Ok(toml::from_str(include_str!("../../deploy/topics.toml"))?)
}

fn read_plan(file: &Path) -> anyhow::Result<TopicPlan> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| stream::Error::configuration(format!("cannot read {}: {error} (--file)", file.display())))?;
    toml::from_str(&text).map_err(|error| stream::Error::configuration(format!("{}: {error}", file.display())).into())
}

fn show_applied(applied: &[Applied], output: Output) -> anyhow::Result<()> {
    for topic in applied {
        if let Change::Differs { planned, found } = topic.change {
            say(format!(
                "{} has {found} partitions, not {planned}; --grow lets it grow, nothing makes it shrink",
                topic.topic
            ));
        }
    }
    let Output::Table = output else { return output.json(&applied) };
    let rows = applied.iter().map(|topic| {
        let change = match topic.change {
            Change::Created { partitions } => format!("created with {partitions} partitions"),
            Change::Grown { before, now } => format!("grown from {before} to {now} partitions"),
            Change::Differs { found, .. } => format!("left with {found} partitions"),
            Change::None => "as it was".into(),
        };
        [topic.topic.clone(), change, topic.settings.join("\n")]
    });
    output.rows(&table(["topic", "change", "settings"], rows))
}

fn list(kafka: &Kafka, output: Output) -> anyhow::Result<()> {
    let watermarks = Watermarks::open(kafka)?;
    let listed: anyhow::Result<Vec<Listed>> = Admin::open(kafka)?
        .topics()?
        .into_iter()
        .map(|topic| {
            let ends =
                watermarks.ends(&topic.name).with_context(|| format!("asking for the ends of {}", topic.name))?;
            Ok(Listed { topic, records: ends.iter().map(|(_, first, end)| end - first).sum() })
        })
        .collect();
    let listed = listed?;
    let Output::Table = output else { return output.json(&listed) };
    let rows = listed.iter().map(|Listed { topic, records }| {
        let settings: Vec<String> = topic.own_config.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let numbers = [topic.partitions.to_string(), topic.replication.to_string(), records.to_string()];
        let [partitions, replication, records] = numbers;
        [topic.name.clone(), partitions, replication, records, settings.join("\n")]
    });
    output.rows(&table(["topic", "partitions", "replicas", "records", "own settings"], rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_plan_names_every_topic_and_its_dead_letters() {
        let plan = built_in_plan().unwrap();
        for topic in event::topic::ALIGNED {
            for name in [topic.to_owned(), stream::dead_topic(topic)] {
                assert!(plan.topics.iter().any(|planned| planned.name == name), "{name}");
            }
        }
    }
}
