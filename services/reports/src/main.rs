//! Counts installs, events, revenue, clicks and impressions exactly once, and answers questions about them.

use std::process::ExitCode;

use ledger::Ledger;

fn main() -> ExitCode {
    reports::run(Ledger::open)
}
