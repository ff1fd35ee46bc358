//! `attributary rules`: is a rules file right, and what would it send?

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use ipnet::IpNet;
use postbacks::{Answer, Guard, PlainHttp, Preview, Rules, preview};
use serde_json::json;

use crate::output::{Output, table};

/// Checks rules of postbacks before the service does.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  attributary rules check postbacks.toml
  attributary rules test postbacks.toml --event install.json
  kcat -C -t installs -o -1 -c 1 -b 127.0.0.1:9092 | attributary rules test postbacks.toml --event -")]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    command: Command,
    /// A network that endpoints may be in although it is not public, such as 10.0.0.0/8; may be repeated.
    #[arg(long = "allow-network", value_name = "CIDR", global = true)]
    allow_networks: Vec<IpNet>,
    /// Lets endpoints be reached without TLS.
    #[arg(long, global = true)]
    allow_http: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Says whether the service would take the file, and if not, which line is wrong and why.
    Check { file: PathBuf },
    /// Shows what each rule would send for an event, or why nothing. Nothing is sent.
    Test {
        file: PathBuf,
        /// A record of `installs` or `events` as JSON; `-` reads it from stdin.
        #[arg(long, value_name = "FILE")]
        event: PathBuf,
    },
}

pub(crate) fn run(args: RulesArgs, output: Output) -> anyhow::Result<()> {
    let http = if args.allow_http { PlainHttp::Allowed } else { PlainHttp::Refused };
    let guard = Guard::new(args.allow_networks, http);
    match args.command {
        Command::Check { file } => check(&read(&file, &guard)?, output),
        Command::Test { file, event } => {
            let rules = read(&file, &guard)?;
            let answers = preview(&rules, None, &read_event(&event)?).context("the event")?;
            show(&answers, output)
        }
    }
}

/// A guard that lets everything through: for looking at rules without a request.
pub(crate) fn anywhere() -> Guard {
    let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect();
    Guard::new(everywhere, PlainHttp::Allowed)
}

fn read(file: &PathBuf, guard: &Guard) -> anyhow::Result<Rules> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| stream::Error::configuration(format!("cannot read {}: {error}", file.display())))?;
    let refused = |refusal| stream::Error::configuration(format!("{}: {refusal}", file.display()));
    Ok(Rules::parse(&text, guard).map_err(refused)?)
}

fn read_event(file: &PathBuf) -> anyhow::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return std::fs::read(file).with_context(|| format!("reading {}", file.display()));
    }
    let mut event = Vec::new();
    std::io::stdin().read_to_end(&mut event).context("reading stdin")?;
    if event.is_empty() {
        bail!("stdin holds no event");
    }
    Ok(event)
}

fn check(rules: &Rules, output: Output) -> anyhow::Result<()> {
    let (rules, endpoints) = (rules.rule_count(), rules.endpoint_count());
    let Output::Table = output else { return output.json(&json!({ "rules": rules, "endpoints": endpoints })) };
    output.rows(&table(["rules", "endpoints"], [[rules.to_string(), endpoints.to_string()]]))
}

fn show(answers: &[Preview], output: Output) -> anyhow::Result<()> {
    let Output::Table = output else { return output.json(&answers) };
    let rows = answers.iter().map(|answer| {
        let outcome = match &answer.answer {
            Answer::Nothing(reason) => format!("nothing: {reason}"),
            Answer::Sends(sent) => {
                let body = sent.body.as_ref().map(|body| format!("\n{body}")).unwrap_or_default();
                format!("{} {}{body}", sent.method, sent.url)
            }
        };
        [answer.rule.clone(), answer.endpoint.clone(), outcome]
    });
    output.rows(&table(["rule", "endpoint", "would send"], rows))
}
