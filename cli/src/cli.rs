//! What can be typed.

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::audit::AuditArgs;
use crate::dead::DeadArgs;
use crate::demo::DemoArgs;
use crate::doctor::DoctorArgs;
use crate::output::Output;
use crate::positions::PositionsArgs;
use crate::rules::RulesArgs;
use crate::simulate::SimulateArgs;
use crate::topics::TopicsArgs;
use crate::verify::VerifyArgs;
use crate::{audit, dead, demo, doctor, positions, rules, simulate, topics, verify};

/// Attributary: try it, test it, look after it.
#[derive(Parser, Debug)]
#[command(
    name = "attributary",
    version,
    propagate_version = true,
    after_help = "Examples:
  attributary demo                            everything at once, on this machine
  attributary simulate --rate 200             traffic for services that run already
  attributary verify --truth truth.json       were the counts right?
  attributary audit                           does every balance agree with the log?
  attributary doctor                          what is reachable, and what is set dangerously

Data goes to stdout, talk to stderr.
Exit codes: 0 done, 1 failed, 2 usage, 69 a server cannot be reached, 78 bad configuration."
)]
pub struct Cli {
    /// How data is printed.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Demo(DemoArgs),
    Simulate(SimulateArgs),
    Verify(VerifyArgs),
    Audit(AuditArgs),
    Topics(TopicsArgs),
    Positions(PositionsArgs),
    Dead(DeadArgs),
    Rules(RulesArgs),
    Doctor(DoctorArgs),
    /// Prints the completions of a shell, such as `attributary completions bash > /etc/bash_completion.d/attributary`.
    Completions {
        shell: Shell,
    },
}

impl Cli {
    pub async fn run(self) -> anyhow::Result<()> {
        let output = self.output;
        match self.command {
            Command::Demo(args) => demo::run(args, output).await,
            Command::Simulate(args) => simulate::run(args, output).await,
            Command::Verify(args) => verify::run(args, output).await,
            Command::Audit(args) => audit::run(args, output).await,
            Command::Topics(args) => topics::run(args, output),
            Command::Positions(args) => positions::run(args, output),
            Command::Dead(args) => dead::run(args, output),
            Command::Doctor(args) => doctor::run(args, output).await,
            Command::Rules(args) => rules::run(args, output),
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Self::command(), "attributary", &mut std::io::stdout());
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_arguments_get_in_each_others_way() {
        Cli::command().debug_assert();
    }
}
