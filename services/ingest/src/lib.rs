//! The doors: takes events, ad clicks and ad views over HTTP, and puts them into topic `activity`.
//!
//! An event gets a yes only after every replica of Kafka in sync has it. What is refused is refused with a stable code
//! of [`CODES`], at the event and the field that it is about.
//!
//! Everything between the bytes of a request and the records for Kafka is [`read`], a function without I/O:
//!
//! ```
//! use ingest::{Addresses, Apps, Caller, Context, Framing, HashKey, Sender, UnknownFields, read};
//!
//! let addresses = Addresses { key: HashKey::PUBLIC, trusted_proxies: vec![], hosting_networks: vec![] };
//! let sender = Sender { fingerprint: addresses.fingerprint([192, 0, 2, 1].into()), user_agent: None };
//! let context = Context {
//!     apps: &Apps::default(),
//!     caller: &Caller::Anyone,
//!     sender: &sender,
//!     arrival: event::Time::parse("2026-11-22T10:11:12Z").unwrap(),
//!     unknown_fields: UnknownFields::Keep,
//! };
//! let body = br#"[{"kind":"session","app_id":"com.example.game"}, {"kind":"party","app_id":"com.example.game"}]"#;
//! let reading = read(body, Framing::Json, context).unwrap();
//! assert_eq!(reading.events[0].outcome.as_ref().unwrap().record.topic.as_ref(), "activity");
//! assert_eq!(reading.events[1].outcome.as_ref().unwrap_err().code, "kind_unknown");
//! ```

mod start;

mod doors;
mod events;
mod links;
mod patience;
mod server;

mod address;
mod apps;
mod body;
mod caller;
mod inflate;
mod media;
mod rate;

mod decode;
mod documents;
mod ids;
mod link;
mod names;
mod prepare;
mod query;
mod read;
mod record;
mod shape;
mod store;
mod strict;

mod answer;
mod code;
mod config;
mod rejection;

pub use address::{Addresses, Fingerprint, HashKey};
pub use apps::{App, Apps, Grant, Scope};
pub use caller::Caller;
pub use code::CODES;
pub use config::Config;
pub use documents::Grouping;
pub use media::Framing;
pub use prepare::{Context, Prepared, Sender, UnknownFields, Warning};
pub use read::{ReadEvent, Reading, read};
pub use rejection::Rejection;
pub use start::start;
