//! What flows through Attributary: every event, the topics it travels in, and the checks that make it valid.
//!
//! A type here is a contract: whatever decodes is valid, and whatever does not decode says why, as `code: reason`.
//! Types borrow from the bytes they were read from; nothing here does I/O or reads a clock.
//!
//! ```
//! let record = br#"{"event_id":"i-1","app_id":"com.example.game","event_time":"2026-11-22T10:11:12.345Z"}"#;
//! let install: event::Install = serde_json::from_slice(record).unwrap();
//! assert_eq!(install.current().media_source.as_str(), event::ORGANIC);
//!
//! let refused = serde_json::from_str::<event::Install>(r#"{"event_id":"a b","app_id":"x","event_time":1}"#).unwrap_err();
//! assert!(refused.to_string().starts_with("event_id_format: "));
//! ```

pub mod topic;

mod activity;
mod alias;
mod attempt;
mod attribution;
mod counted;
mod device;
mod kind;
mod money;
mod refusal;
mod text;
mod time;

pub use activity::{Activity, Decided, EventName};
pub use alias::canonical_name;
pub use attempt::{Attempt, Outcome};
pub use attribution::{Attribution, Contributor, Conversion, MatchType, Status, TouchType};
pub use counted::{Earned, Install, Touch, Valued};
pub use device::{Device, DeviceId, IdType};
pub use kind::{Kind, Platform, Source};
pub use money::{Currency, Micros};
pub use refusal::Refusal;
pub use text::{AppId, EventId, Text};
pub use time::Time;

/// The media source of whatever no network earned; no network may call itself so.
pub const ORGANIC: &str = "organic";
