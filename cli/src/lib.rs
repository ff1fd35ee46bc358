//! The commands of `attributary`: one module each, with the same names as on the command line.
//!
//! ```
//! use clap::Parser;
//! let typed = attributary::Cli::try_parse_from(["attributary", "simulate", "--rate", "50", "--count", "1000"]);
//! assert!(typed.is_ok());
//! ```

mod cli;

mod audit;
mod demo;
pub mod simulate;
mod verify;

mod dead;
mod doctor;
mod letters;
mod positions;
mod redrive;
mod rules;
mod stages;
mod topics;

mod clock;
mod connect;
mod output;
mod progress;
mod signals;

pub use cli::Cli;
pub use connect::http_client;
pub use output::explain;
