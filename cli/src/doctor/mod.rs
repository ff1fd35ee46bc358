//! `attributary doctor`: what is reachable, which versions, what is set dangerously, and what to do about it.

mod finding;
mod kafka;
mod redis;
mod services;

use anyhow::bail;
use clap::Args;

use crate::connect::{KafkaArgs, RedisArgs, http_client};
use crate::output::{Output, table};
use finding::Verdict;

/// Looks at Kafka, Redis and the services, and says what to do.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  attributary doctor
  attributary doctor --kafka broker:9092 --redis redis://cache:6379/0 --services 10.0.0.5
  attributary doctor -o json | jq '.[] | select(.verdict != \"ok\")'

Exit codes: 0 nothing endangers a promise, 1 something does.")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    redis: RedisArgs,
    /// The host on which the services listen for operators.
    #[arg(long, default_value = "127.0.0.1", value_name = "HOST")]
    services: String,
}

pub(crate) async fn run(args: DoctorArgs, output: Output) -> anyhow::Result<()> {
    let (kafka_settings, redis_settings) = (args.kafka.settings()?, args.redis.settings());
    let mut findings = tokio::task::spawn_blocking(move || {
        let mut findings = kafka::examine(&kafka_settings);
        findings.extend(redis::examine(&redis_settings));
        findings
    })
    .await?;
    findings.extend(services::examine(&http_client()?, &args.services).await);
    if let Output::Json = output {
        output.json(&findings)?;
    } else {
        let rows = findings.iter().map(|finding| {
            [finding.place.clone(), finding.verdict.as_str().to_owned(), finding.found.clone(), finding.advice.clone()]
        });
        output.rows(&table(["what", "verdict", "found", "what to do"], rows))?;
    }
    let dangers = findings.iter().filter(|finding| finding.verdict == Verdict::Danger).count();
    if dangers > 0 {
        bail!("{dangers} of {} findings endanger a promise", findings.len());
    }
    Ok(())
}
