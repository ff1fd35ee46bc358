//! What is known of an install that was decided: the entry that `record` keeps of it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A decision, and the record it was made on.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Known {
    /// Topic, partition and offset. The same one again is a replay, another one is a duplicate.
    pub(crate) source: String,
    /// As it was published.
    pub(crate) attribution: Box<RawValue>,
}
