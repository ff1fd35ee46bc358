//! Tells the ad networks: rules say when, endpoints say where, and every delivery is made at least once.
//!
//! The service is two halves that meet in Redis. Two stages read `installs` and `events` and schedule what the rules
//! find, exactly once. The courier takes what is due from the partitions that this process owns, delivers it over HTTP
//! with each endpoint isolated from the others, and publishes every attempt to topic `postbacks`. As a library the crate
//! checks rules files and shows what they would send:
//!
//! ```
//! use postbacks::{Answer, Guard, Rules, preview};
//!
//! let rules = r#"
//!     [[endpoint]]
//!     id = "acme"
//!     url = "https://postback.acme.example/install?click_id={click_id}"
//!     [[rule]]
//!     id = "acme-installs"
//!     endpoint = "acme"
//!     topic = "installs"
//!     media_sources = ["acme"]
//! "#;
//! let rules = Rules::parse(rules, &Guard::default())?;
//! let install = br#"{"event_id":"i1","app_id":"com.example.game","event_time":"2026-11-22T10:11:12.345Z",
//!     "attribution":{"media_source":"acme","click_id":"a&b"}}"#;
//! let answers = preview(&rules, None, install)?;
//! let Answer::Sends(sent) = &answers[0].answer else { panic!("{answers:?}") };
//! assert_eq!(sent.url, "https://postback.acme.example/install?click_id=a%26b");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod run;

mod rules;

mod field;
mod filter;
mod known;
mod template;

mod guard;
mod schedule;
mod signature;
mod verdict;

mod delivery;
mod plan;
mod scheduling;

mod courier;

mod clock;
mod config;
mod live;

mod preview;

pub use config::{Config, Postbacks};
pub use guard::{Guard, PlainHttp};
pub use preview::{Answer, Preview, Sent, preview};
pub use rules::{FileRefusal, Rules, Topic};
pub use run::start;
