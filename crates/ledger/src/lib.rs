//! The Redis sink: what a batch causes and the position it came from are stored in one script per partition.
//!
//! The rule that carries the guarantee is one line: *stored position equals `from`: apply and store `next`; anything else:
//! fenced.* A counter is therefore the fold of a log prefix, whatever is killed, repeated or late.
//!
//! ```
//! let mut effects = ledger::Effects::default();
//! effects.add("c:com.example.game:20779", "acme", 1);
//! effects.add("c:com.example.game:20779", "acme", 1);
//! assert_eq!(effects.len(), 1); // counted in memory first: one command a distinct counter
//! ```

mod ledger;

mod effects;
mod script;

mod ask;
mod index;
mod positions;
mod reader;

mod queue;
mod registry;

mod partitions;

mod connection;
mod facts;
mod layout;

pub use ask::{Ask, Seen, Value};
pub use connection::Redis;
pub use effects::{Effects, Scheduled};
pub use facts::{Facts, inspect};
pub use index::Index;
pub use ledger::Ledger;
pub use partitions::{Partitions, require_unchanged};
pub use positions::{Positions, Skip};
pub use queue::{Claim, Claimed, Queue};
pub use reader::Reader;
pub use registry::Registry;
