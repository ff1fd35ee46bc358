//! Decides who earned an install: the touches before it, the rules, and one pure function, [`decide`].
//!
//! Around it stand three stages that meet only in Kafka and Redis. `remember` indexes the touches of `activity`; `decide`
//! waits until that index is complete, decides installs, and publishes them to `installs`, and what happens in the apps
//! to `events` with the attribution of its install; `record` indexes the decisions that stand in `installs`.
//!
//! ```
//! use attribution::{History, Rules, Touch, decide};
//!
//! let rules = Rules::default();
//! let click: event::Activity = serde_json::from_str(
//!     r#"{"event_id":"c","kind":"click","app_id":"game","event_time":"2026-11-20T10:00:00Z","media_source":"acme",
//!         "device":{"oaid":"d-1"}}"#,
//! )?;
//! let install: event::Activity = serde_json::from_str(
//!     r#"{"event_id":"i","kind":"install","app_id":"game","event_time":"2026-11-22T10:00:00Z","device":{"oaid":"d-1"}}"#,
//! )?;
//! let touches: Vec<Touch> = Touch::of(&click, &rules).into_iter().collect();
//! let decision = decide(&install, &touches, &History::default(), &rules);
//! assert_eq!(decision.attribution.status, event::Status::Attributed);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod decide;
mod matching;
mod referrer;
mod rules;
mod touch;
mod window;

mod remember;

mod decider;
mod questions;

mod outcome;

mod hold;
mod lookups;
mod recent;

mod record;

mod arrival;
mod commits;
mod ends;
mod keys;
mod known;

mod apps;
mod config;
mod stages;

#[cfg(test)]
mod batches;
#[cfg(test)]
mod model;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod world;

pub use config::{AppsFile, Config, Dedupe};
pub use decide::{Decision, History, decide};
pub use rules::Rules;
pub use stages::start;
pub use touch::{Origin, Touch};
pub use window::Window;
