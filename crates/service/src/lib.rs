//! The shell that every service wears: configuration in layers, logs, metrics, health, signals and exit codes.
//! It knows nothing of Kafka or Redis.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! #[derive(Default, serde::Serialize, serde::Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config {
//!     greeting: String,
//! }
//!
//! fn main() -> ExitCode {
//!     let shell = service::Shell { name: "greeter", version: "1.0.0", admin_port: 9199, exit_code: |_| None };
//!     service::run(shell, |service, config: Config| {
//!         service.stage("greet", move |name, running| {
//!             println!("{name} says {}", config.greeting);
//!             while running.turn(None) {}
//!             Ok(())
//!         });
//!         Ok(())
//!     })
//! }
//! ```

mod run;

mod service;

mod admin;
mod health;
mod probe;
mod signals;

mod layers;
mod print;
mod settings;

mod exit;
mod telemetry;

pub use exit::{bad_configuration, unsent};
pub use health::Running;
pub use run::{Shell, run};
pub use service::Service;
