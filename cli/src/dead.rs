//! `attributary dead`: what was refused, why, and letting it in again.

use std::collections::BTreeMap;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;
use stream::Kafka;
use stream::admin::Admin;

use crate::connect::KafkaArgs;
use crate::letters::{Letter, read};
use crate::output::{Output, say, table};
use crate::redrive;

/// Looks at dead letters.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  attributary dead ls
  attributary dead show activity --code ts_too_old --limit 3
  attributary dead show installs -o json | jq -r '.[].payload'
  attributary dead redrive installs --service reports")]
pub(crate) struct DeadArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Counts letters by topic, service and code.
    Ls {
        /// The topics whose letters are counted; all if none is named.
        topics: Vec<String>,
    },
    /// Prints letters with their coordinates, the newest last.
    Show {
        /// The topic that the letters come from, such as `activity`.
        topic: String,
        #[arg(long)]
        code: Option<String>,
        #[arg(long)]
        service: Option<String>,
        /// The most letters to print.
        #[arg(long, default_value_t = 10)]
        limit: usize,
    },
    /// Lets the letters of a service in again, for that service alone. Mend the cause first.
    Redrive {
        /// The topic that the letters come from, such as `installs`.
        topic: String,
        /// The service that refused them, as `dead ls` shows it.
        #[arg(long)]
        service: String,
    },
}

/// Letters of one kind.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Group {
    topic: String,
    service: String,
    code: String,
    letters: u64,
    /// A reason of one of them.
    reason: String,
}

pub(crate) fn run(args: DeadArgs, output: Output) -> anyhow::Result<()> {
    let kafka = args.kafka.settings()?;
    match args.command {
        Command::Ls { topics } => {
            let topics = if topics.is_empty() { with_letters(&kafka)? } else { topics };
            list(&kafka, &topics, output)
        }
        Command::Redrive { topic, service } => redrive::run(&kafka, (&topic, &service), output),
        Command::Show { topic, code, service, limit } => {
            let wanted = |letter: &Letter| {
                code.as_ref().is_none_or(|code| *code == letter.code)
                    && service.as_ref().is_none_or(|service| *service == letter.service)
            };
            let mut letters: Vec<Letter> = read(&kafka, &topic)?.into_iter().filter(wanted).collect();
            let skipped = letters.len().saturating_sub(limit);
            if skipped > 0 {
                say(format!("{skipped} older ones are not shown (--limit)"));
            }
            show(&letters.split_off(skipped), output)
        }
    }
}

/// Every topic that has one for its dead letters.
fn with_letters(kafka: &Kafka) -> anyhow::Result<Vec<String>> {
    let topics = Admin::open(kafka)?.topics()?;
    Ok(topics.iter().filter_map(|topic| topic.name.strip_suffix(".dead")).map(str::to_owned).collect())
}

fn list(kafka: &Kafka, topics: &[String], output: Output) -> anyhow::Result<()> {
    let mut letters = Vec::new();
    for topic in topics {
        letters.extend(read(kafka, topic)?);
    }
    let groups = group(&letters);
    let Output::Table = output else { return output.json(&groups) };
    if groups.is_empty() {
        say("no dead letters");
        return Ok(());
    }
    let rows = groups
        .into_iter()
        .map(|group| [group.topic, group.service, group.code, group.letters.to_string(), group.reason]);
    output.rows(&table(["topic", "service", "code", "letters", "such as"], rows))
}

fn group(letters: &[Letter]) -> Vec<Group> {
    let mut groups: BTreeMap<(&str, &str, &str), (u64, &str)> = BTreeMap::new();
    for letter in letters {
        groups.entry((&letter.topic, &letter.service, &letter.code)).or_insert((0, &letter.reason)).0 += 1;
    }
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|((topic, service, code), (letters, reason))| Group {
            topic: topic.into(),
            service: service.into(),
            code: code.into(),
            letters,
            reason: reason.into(),
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.letters));
    groups
}

fn show(letters: &[Letter], output: Output) -> anyhow::Result<()> {
    if letters.is_empty() {
        bail!("no such dead letters");
    }
    let Output::Table = output else { return output.json(&letters) };
    let rows = letters.iter().map(|letter| {
        let place = format!("{}/{} at {}", letter.topic, letter.partition, letter.offset);
        [place, letter.service.clone(), letter.code.clone(), letter.reason.clone(), letter.payload.clone()]
    });
    output.rows(&table(["came from", "service", "code", "reason", "payload"], rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted_by_topic_service_and_code_the_most_first() {
        let letter = |service: &str, code: &str| Letter {
            topic: "installs".into(),
            service: service.into(),
            code: code.into(),
            reason: format!("{code} it is"),
            ..Letter::default()
        };
        let letters = [letter("a", "x"), letter("b", "y"), letter("b", "y")];
        let shown: Vec<_> =
            group(&letters).into_iter().map(|group| (group.service, group.code, group.letters, group.reason)).collect();
        assert_eq!(
            shown,
            [("b".into(), "y".into(), 2, "y it is".into()), ("a".into(), "x".into(), 1, "x it is".to_owned())]
        );
    }
}
