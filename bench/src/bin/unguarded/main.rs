//! `reports` without its guarantee: everything as it ships, but the positions stand apart from the counters.
//!
//! The stages note their positions in Kafka once a second, as they do anyway, and this is all that a restart has to go by:
//! whatever was counted since then is counted twice. Nobody should run it; the bench measures what the guarantee costs.

mod place;

use std::process::ExitCode;

use crate::place::Unguarded;

fn main() -> ExitCode {
    reports::run(Unguarded::open)
}
