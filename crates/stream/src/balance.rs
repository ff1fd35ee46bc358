//! What became of the records of a partition, in numbers that can be added up.

use serde::{Deserialize, Serialize};

use crate::{Mark, Offset};

/// What a stage did with the records of one partition from `since` on: of a part, or of everything up to the position
/// together with which it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Balance {
    pub since: Offset,
    /// Records taken in, those that were refused among them.
    pub taken: u64,
    /// Records that became dead letters.
    pub refused: u64,
    /// What was dropped because it was there already.
    pub repeated: u64,
    /// Records published, deliveries scheduled. Counters are none.
    pub out: u64,
    /// The last record that was taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Mark>,
}

impl Balance {
    /// A balance that begins at this offset.
    pub fn new(since: Offset) -> Self {
        Self { since, taken: 0, refused: 0, repeated: 0, out: 0, last: None }
    }

    /// The sum; `part` follows on what is in this balance.
    pub fn plus(self, part: &Self) -> Self {
        Self {
            since: self.since,
            taken: self.taken.saturating_add(part.taken),
            refused: self.refused.saturating_add(part.refused),
            repeated: self.repeated.saturating_add(part.repeated),
            out: self.out.saturating_add(part.out),
            last: part.last.or(self.last),
        }
    }

    /// As it travels beside a committed offset.
    pub(crate) fn to_metadata(self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&self)
    }

    /// What stands beside a committed offset, if anything does that is a balance: a tool that sets an offset leaves none.
    pub(crate) fn from_metadata(metadata: &str) -> Option<Self> {
        serde_json::from_str(metadata).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_survives_its_journey_beside_an_offset() {
        let last = Some(Mark { offset: Offset(14), appended_at: 9_000 });
        let part = Balance { taken: 3, refused: 1, last, ..Balance::new(Offset(12)) };
        let sum = Balance { repeated: 2, out: 5, ..Balance::new(Offset(7)) }.plus(&part);
        assert_eq!(sum, Balance { since: Offset(7), taken: 3, refused: 1, repeated: 2, out: 5, last });
        let written = sum.to_metadata().unwrap();
        assert_eq!(written, r#"{"since":7,"taken":3,"refused":1,"repeated":2,"out":5,"last":[14,9000]}"#);
        assert_eq!(sum.plus(&Balance::new(Offset(15))).last, last, "a part without records");
        assert_eq!(Balance::from_metadata(&sum.to_metadata().unwrap()), Some(sum));
    }

    #[test]
    fn what_is_no_balance_is_none() {
        for metadata in ["", "reset by hand", "{}", r#"{"since":7}"#, r#"{"since":0,"taken":-1,"refused":0}"#] {
            assert_eq!(Balance::from_metadata(metadata), None, "{metadata}");
        }
    }
}
