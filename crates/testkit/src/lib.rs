//! For tests alone: real servers and real services as processes, each test with its own, and batches without any server.
//!
//! ```
//! let records = [br#"{"n":1}"#.as_slice(), b"not json"];
//! let mut batch = testkit::batch("numbers", 0, records);
//! assert_eq!(batch.decode::<serde_json::Value>().count(), 1);
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

pub mod sample;

mod memory;
pub use memory::{Appended, batch, batch_from};

mod explore;
pub use explore::{Reached, explore};

mod wait;
pub use wait::{eventually, eventually_within};

mod process;
pub use process::{Process, free_port, repository};

mod proxy;
pub use proxy::{Mode, Proxy, Way};

mod kafka;
mod kafka_admin;
pub use kafka::{Kafka, Node};

mod redis;
pub use redis::Redis;

mod redis_cluster;
pub use redis_cluster::RedisCluster;

mod sentinel;
pub use sentinel::Sentinel;

mod suite;
pub use suite::{Replica, Suite, binary};

mod dns;
pub use dns::{Dns, Name};

mod tls;
pub use tls::{Authority, TlsServer};

mod receiver;
pub use receiver::{Answer, Hit, Receiver};
