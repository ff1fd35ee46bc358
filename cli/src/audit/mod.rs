//! `attributary audit`: adds up what every stage says of itself, and compares it with the log.

mod account;
mod evidence;
mod fold;
mod question;
mod verdict;

use std::collections::BTreeMap;
use std::io::IsTerminal;

use anyhow::bail;
use clap::Args;
use event::topic;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Url;
use stream::Kafka;

use crate::clock::now;
use crate::connect::{KafkaArgs, RedisArgs, http_client};
use crate::output::{Output, say, table};
use account::Account;
use evidence::Found;
use fold::Fold;
use question::{Answered, Reports};
use verdict::{Finding, Line, Verdict, judge};

/// Compares the balance of every stage and partition with the log, and counts installs once more.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  attributary audit
  attributary audit --sample 2 --reports http://127.0.0.1:8081
  attributary audit -o json | jq '.[] | select(.verdict == \"different\")'

It reads positions and balances first and the log up to them after, so the services may run meanwhile. What retention
removed is told as not checkable, and is not wrong.

Exit codes: 0 everything is equal, 1 something differs, 69 a server cannot be reached.")]
pub(crate) struct AuditArgs {
    /// The URL of reports.
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    reports: Url,
    /// So many partitions of `installs` are counted once more, others each time; all without it.
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// Installs of so many days are counted once more; no more than `reports.keep`.
    #[arg(long, default_value_t = 31, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=398))]
    days: i64,
    /// The generation of the keys in Redis (redis.generation).
    #[arg(long, default_value_t = 1, value_name = "N")]
    generation: u32,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    redis: RedisArgs,
}

pub(crate) async fn run(args: AuditArgs, output: Output) -> anyhow::Result<()> {
    let kafka = args.kafka.settings()?;
    let redis = ledger::Redis { generation: args.generation, ..args.redis.settings() };
    let of = kafka.clone();
    let accounts = tokio::task::spawn_blocking(move || account::read(&of, &redis)).await??;
    let mut fold = questions(&args, &accounts).await?;
    let bar = progress();
    let reader = tokio::task::spawn_blocking({
        let bar = bar.clone();
        move || -> anyhow::Result<(Vec<Account>, Fold, Found)> {
            let found = read_log(&kafka, &accounts, &mut fold, &bar)?;
            Ok((accounts, fold, found))
        }
    });
    let gathered = reader.await;
    bar.finish_and_clear();
    let (accounts, fold, Found { evidence, firsts }) = gathered??;
    let judged = accounts.iter().zip(&evidence).map(|(account, evidence)| judge(account, evidence, &firsts, &fold));
    report(&judged.collect::<Vec<_>>(), output)
}

fn read_log(kafka: &Kafka, accounts: &[Account], fold: &mut Fold, bar: &ProgressBar) -> anyhow::Result<Found> {
    evidence::wait_until_stable(kafka, &[topic::INSTALLS, topic::EVENTS])?;
    evidence::gather(kafka, accounts, fold, bar)
}

/// Asks reports for the partitions that are counted once more, and starts the fold that the answers are compared with.
async fn questions(args: &AuditArgs, accounts: &[Account]) -> anyhow::Result<Fold> {
    let folded = accounts.iter().filter(|account| account.stage.name == verdict::FOLDED);
    let stands: BTreeMap<i32, i64> = folded.map(|account| (account.partition, account.position.0)).collect();
    let today = now().day();
    // An event may be dated up to ten minutes ahead, and so tomorrow.
    let days = today - args.days + 1..=today + 1;
    let reports = Reports { client: http_client()?, base: args.reports.clone(), days: days.clone() };
    let mut answers: Vec<Answered> = Vec::new();
    if !stands.is_empty() {
        let apps = reports.apps().await?;
        let sample = sample(stands.keys().copied().collect(), args.sample, now().millis());
        for (&partition, app) in sample.iter().flat_map(|partition| apps.iter().map(move |app| (partition, app))) {
            for test in [false, true] {
                answers.extend(reports.ask(partition, app, test).await?);
            }
        }
    }
    Ok(Fold::new(answers, stands, days))
}

/// So many of the partitions, one after another from where the clock says.
fn sample(partitions: Vec<i32>, most: Option<usize>, clock: i64) -> Vec<i32> {
    let count = partitions.len();
    let start = usize::try_from(clock.unsigned_abs()).unwrap_or_default() % count.max(1);
    partitions.into_iter().cycle().skip(start).take(most.unwrap_or(count).min(count)).collect()
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} records, {per_sec}, {eta} left  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn report(lines: &[Line], output: Output) -> anyhow::Result<()> {
    if let Output::Json = output {
        output.json(&lines)?;
    } else {
        let rows = lines.iter().map(|line| {
            let found: Vec<String> = line.findings.iter().map(Finding::in_words).collect();
            let found = if found.is_empty() { "equal".to_owned() } else { found.join("\n") };
            let [since, position] = [line.since, line.position].map(|offset| offset.to_string());
            let [taken, refused, repeated, out] =
                [line.taken, line.refused, line.repeated, line.out].map(|count| count.to_string());
            let partition = format!("{}/{}", line.topic, line.partition);
            [line.stage.to_owned(), partition, since, position, taken, refused, repeated, out, found]
        });
        let header = ["stage", "partition", "since", "position", "taken", "refused", "repeated", "out", "finding"];
        output.rows(&table(header, rows))?;
    }
    let of = |verdict| lines.iter().filter(move |line| line.verdict == verdict);
    let different: Vec<String> =
        of(Verdict::Different).map(|line| format!("{} {}/{}", line.stage, line.topic, line.partition)).collect();
    let (unchecked, total) = (of(Verdict::Unchecked).count(), lines.len());
    if !different.is_empty() {
        bail!("{} of {total} balances differ: {}", different.len(), different.join(", "));
    }
    match unchecked {
        0 => say(format!("all {total} balances are equal to the log")),
        _ => say(format!(
            "{} balances are equal to the log; of {unchecked} not everything can be checked",
            total - unchecked
        )),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_another_one_each_time_and_never_holds_a_partition_twice() {
        for (most, clock, expected) in [
            (None, 5, vec![2, 0, 1]),
            (Some(2), 0, vec![0, 1]),
            (Some(2), 2, vec![2, 0]),
            (Some(9), 1, vec![1, 2, 0]),
            (Some(0), 1, vec![]),
        ] {
            assert_eq!(sample(vec![0, 1, 2], most, clock), expected);
        }
        assert_eq!(sample(Vec::new(), Some(2), 7), [0; 0]);
    }
}
