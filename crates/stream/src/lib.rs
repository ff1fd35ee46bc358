//! How events flow: a stage polls batches of a Kafka topic, hands them to a function, and lets a sink store the outputs
//! together with the position they came from.
//!
//! A service is a topic, a function and a place. The function is pure; the place is any [`Sink`]: the ledger in Redis,
//! or the [`Publisher`], which writes other topics in transactions. Whatever fails, the step's work is dropped whole and
//! the sink says where to go on: there is one recovery, and no retry in place.
//!
//! ```no_run
//! # use stream::{Batch, Kafka, Outgoing, Publisher, Stage};
//! fn copy(batch: &mut Batch<'_>) -> anyhow::Result<Vec<Outgoing>> {
//!     Ok(batch.decode::<serde_json::Value>().map(|record| Outgoing::to("copies", record.payload)).collect())
//! }
//!
//! let kafka = Kafka { instance: Some("laptop".into()), ..Kafka::default() };
//! let publisher = Publisher::open(&kafka, "copier.copy", &["copies"])?;
//! Stage::open(&kafka, "copier.copy", "originals", publisher, copy)?.run(|_trouble| true)?;
//! # Ok::<(), stream::Error>(())
//! ```

mod stage;

mod batch;
mod gather;
mod group;
mod sink;
mod source;

mod assignment;
mod balance;
mod halt;
mod position;
mod rebalance;
mod recognise;
mod refused;
mod stable;
mod standstill;
mod unripe;

mod dead;
mod delivery;
mod outgoing;
mod producer;
mod publisher;
mod redrive;

pub mod admin;
mod healable;
mod memory;
pub mod tail;
mod wait;
mod watermarks;

mod clock;
mod error;
mod flood;
mod kafka;
mod meter;
mod reach;

#[cfg(test)]
mod model;

pub use assignment::Assignment;
pub use balance::Balance;
pub use batch::{Batch, Message, Record};
pub use dead::{
    HEADER_CODE, HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_SERVICE, HEADER_TOPIC, HEADER_VERSION,
    dead_topic,
};
pub use delivery::Delivery;
pub use error::{Error, Result, exit_code};
pub use group::Group;
pub use halt::{Halt, HaltCode};
pub use kafka::{BatchLimits, CONSUMER, Kafka};
pub use memory::MemoryBroker;
pub use outgoing::Outgoing;
pub use position::{Bookmark, Mark, Offset, Owner, Part, Partition, Standing, Work};
pub use producer::Producer;
pub use publisher::Publisher;
pub use redrive::{redrive, redrive_topic};
pub use sink::Sink;
pub use stage::Stage;
pub use tail::Tail;
pub use watermarks::Watermarks;
