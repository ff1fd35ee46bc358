//! `attributary positions`: how far each stage has read, and moving on over what it cannot read.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use ledger::{Positions, Skip, Value};
use serde::Serialize;
use stream::{Error, Group, Kafka, Offset, Partition, Watermarks};

use crate::clock::now;
use crate::connect::{KafkaArgs, RedisArgs};
use crate::output::{Output, say, table};
use crate::stages::{KnownStage, Place, STAGES};

/// Shows positions, and skips what stops a partition.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  attributary positions ls
  attributary positions ls --stage reports.installs -o json
  attributary positions skip reports.installs --partition 3 --to first --reason 'retention was too short, see incident 12'

A stage halts a partition with `offset_out_of_range` where Kafka has deleted records that were never read, and with
`topic_recreated` where the log ends before its position, or holds another record where it read its last one. It asks again
every ten seconds.")]
pub(crate) struct PositionsArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    redis: RedisArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Lists each partition with its position and what is wrong with it.
    Ls {
        /// Such as `reports.installs`; all if none is named.
        #[arg(long)]
        stage: Option<String>,
    },
    /// Moves a position forward over records that cannot be read. They will not be counted; the reason is kept.
    Skip(SkipArgs),
}

#[derive(Args, Debug)]
struct SkipArgs {
    /// Such as `reports.installs`.
    stage: String,
    #[arg(long)]
    partition: i32,
    /// `first`, `end`, or an offset.
    #[arg(long)]
    to: String,
    /// Why; kept beside the position for good.
    #[arg(long)]
    reason: String,
}

/// Where one partition of one stage stands.
#[derive(Debug, Serialize)]
struct Standing {
    stage: &'static str,
    topic: &'static str,
    partition: i32,
    /// The next offset to read; none where the stage never read it.
    position: Option<i64>,
    first: i64,
    end: i64,
    /// Whether this is another log than the one that was read.
    replaced: bool,
    /// What an operator skipped.
    skips: Vec<String>,
}

pub(crate) fn run(args: PositionsArgs, output: Output) -> anyhow::Result<()> {
    let (kafka, redis) = (args.kafka.settings()?, args.redis.settings());
    match args.command {
        Command::Ls { stage } => {
            let stages = match stage {
                Some(name) => vec![find(&name)?],
                None => STAGES.to_vec(),
            };
            list(&kafka, &redis, &stages, output)
        }
        Command::Skip(skip) => {
            let stage = find(&skip.stage)?;
            let standings = standings(&kafka, &redis, stage)?;
            let standing = standings.iter().find(|standing| standing.partition == skip.partition);
            let Some(standing) = standing else { bail!("{} has no partition {}", stage.topic, skip.partition) };
            move_on(&kafka, &redis, stage, standing, &skip)
        }
    }
}

fn find(name: &str) -> anyhow::Result<KnownStage> {
    let names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
    let found = STAGES.into_iter().find(|stage| stage.name == name);
    found.ok_or_else(|| Error::configuration(format!("no stage {name}: there are {}", names.join(", "))).into())
}

fn list(kafka: &Kafka, redis: &ledger::Redis, stages: &[KnownStage], output: Output) -> anyhow::Result<()> {
    let mut listed = Vec::new();
    for &stage in stages {
        listed.extend(standings(kafka, redis, stage)?);
    }
    let Output::Table = output else { return output.json(&listed) };
    let rows = listed.iter().map(|standing| {
        let position = standing.position.map_or_else(|| "-".to_owned(), |position| position.to_string());
        let lag = standing.position.map_or_else(String::new, |position| (standing.end - position).max(0).to_string());
        let partition = format!("{}/{}", standing.topic, standing.partition);
        let (first, end) = (standing.first.to_string(), standing.end.to_string());
        [standing.stage.to_owned(), partition, position, first, end, lag, remark(standing)]
    });
    output.rows(&table(["stage", "partition", "position", "first", "end", "lag", "remark"], rows))
}

fn remark(standing: &Standing) -> String {
    let outside = match standing.position {
        Some(_) if standing.replaced => vec!["topic_recreated".to_owned()],
        Some(position) if position < standing.first => vec!["offset_out_of_range".to_owned()],
        _ => Vec::new(),
    };
    outside.into_iter().chain(standing.skips.clone()).collect::<Vec<_>>().join("\n")
}

fn standings(kafka: &Kafka, redis: &ledger::Redis, stage: KnownStage) -> anyhow::Result<Vec<Standing>> {
    let watermarks = Watermarks::open(kafka)?;
    let ends = watermarks.ends(stage.topic).with_context(|| format!("looking at {}", stage.topic))?;
    let mut listed: Vec<Standing> = ends
        .into_iter()
        .map(|(partition, first, end)| Standing {
            stage: stage.name,
            topic: stage.topic,
            partition,
            position: None,
            first,
            end,
            replaced: false,
            skips: Vec::new(),
        })
        .collect();
    let mut marks = Vec::new();
    match stage.place {
        Place::Publisher => {
            for (id, offset, balance) in Group::open(kafka, stage.name)?.balances(stage.topic)? {
                let of = listed.iter_mut().filter(|standing| standing.partition == id);
                of.for_each(|standing| standing.position = Some(offset.0));
                marks.extend(balance.last.map(|last| (id, last)));
            }
        }
        Place::Ledger => {
            let mut positions = Positions::open(redis, stage.name, stage.topic)?;
            for seen in positions.stored()? {
                let Some(standing) = listed.iter_mut().find(|standing| standing.partition == seen.partition) else {
                    continue;
                };
                standing.position = seen.position.map(|position| position.0);
                standing.skips = positions.skips(seen.partition)?;
                let balance = seen.values.into_iter().next().and_then(Value::balance);
                marks.extend(balance.and_then(|balance| balance.last).map(|last| (seen.partition, last)));
            }
        }
    }
    let replaced = watermarks.replaced(stage.topic, &marks)?;
    for standing in &mut listed {
        standing.replaced =
            replaced.contains(&standing.partition) || standing.position.is_some_and(|position| position > standing.end);
    }
    Ok(listed)
}

fn move_on(
    kafka: &Kafka,
    redis: &ledger::Redis,
    stage: KnownStage,
    standing: &Standing,
    skip: &SkipArgs,
) -> anyhow::Result<()> {
    let Some(from) = standing.position else {
        bail!("{} has never read this partition: it starts at the first offset", stage.name)
    };
    let to = target(standing, from, &skip.to)?;
    let partition = Partition::new(stage.topic, standing.partition);
    match stage.place {
        Place::Publisher => Group::open(kafka, stage.name)?.commit(&partition, Offset(to))?,
        Place::Ledger => {
            let note = format!("{} from {from} to {to}: {}", now(), skip.reason);
            let skip = Skip { from: Offset(from), to: Offset(to), note };
            Positions::open(redis, stage.name, stage.topic)?.skip(standing.partition, &skip)?;
        }
    }
    say(format!("{} goes on at {to} of {partition}; it stood at {from}", stage.name));
    Ok(())
}

/// Forward within the log; anywhere in it only where the log itself is another one.
fn target(standing: &Standing, from: i64, to: &str) -> anyhow::Result<i64> {
    let Standing { first, end, .. } = *standing;
    let target = match to {
        "first" => first,
        "end" => end,
        offset => offset
            .parse()
            .map_err(|_| Error::configuration(format!("--to {offset} is not `first`, `end` or an offset")))?,
    };
    if !(first..=end).contains(&target) {
        bail!(Error::configuration(format!("--to {target} is outside of the log, which holds {first} to {end}")));
    }
    if target <= from && !standing.replaced {
        bail!(Error::configuration(format!(
            "--to {target} is not beyond {from}: what was read would be counted twice; to count anew, start a new generation"
        )));
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_moves_forward_within_the_log_and_back_only_in_another_log() {
        let log = |first, end, replaced| Standing {
            stage: "reports.installs",
            topic: "installs",
            partition: 3,
            position: None,
            first,
            end,
            replaced,
            skips: Vec::new(),
        };
        for (first, end, from, to, expected) in [
            (10, 90, 4, "first", Some(10)),
            (10, 90, 4, "end", Some(90)),
            (10, 90, 4, "50", Some(50)),
            (10, 90, 50, "51", Some(51)),
            (10, 90, 50, "50", None),
            (10, 90, 50, "20", None),
            (10, 90, 4, "9", None),
            (10, 90, 4, "91", None),
            (10, 90, 4, "soon", None),
        ] {
            let found = target(&log(first, end, false), from, to).ok();
            assert_eq!(found, expected, "{from} to {to} of {first} to {end}");
        }
        for (end, from, to, expected) in
            [(7, 4_000, "first", Some(0)), (7, 4_000, "7", Some(7)), (90, 50, "first", Some(0)), (90, 50, "91", None)]
        {
            assert_eq!(target(&log(0, end, true), from, to).ok(), expected, "{from} to {to} of another log");
        }
    }
}
