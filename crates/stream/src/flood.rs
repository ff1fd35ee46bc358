//! A flood of refused records raises an alarm. It stops nobody, or anyone's bad records could.

use std::collections::VecDeque;

/// Refused records in a row that are a flood.
const ROW: usize = 20;
/// The newest records that are looked at, and the share of them that is a flood: one in twenty.
const WINDOW: usize = 1_000;
const SHARE: usize = 20;

/// Watches which records of a stage are refused.
#[derive(Default)]
pub(crate) struct Flood {
    row: usize,
    window: VecDeque<bool>,
    refused: usize,
    raised: bool,
}

impl Flood {
    /// Takes note of records, `true` where refused, and answers with the alarm if it changed.
    pub(crate) fn observe(&mut self, records: impl Iterator<Item = bool>) -> Option<bool> {
        let mut raised = false;
        for refused in records {
            self.row = if refused { self.row + 1 } else { 0 };
            self.refused += usize::from(refused);
            self.window.push_back(refused);
            if self.window.len() > WINDOW {
                self.refused -= usize::from(self.window.pop_front() == Some(true));
            }
            raised |= self.is_flooded();
        }
        raised |= self.is_flooded();
        let changed = raised != self.raised;
        self.raised = raised;
        changed.then_some(raised)
    }

    /// Whether nothing that was refused is in sight: then good records need not be looked at one by one.
    pub(crate) fn is_calm(&self) -> bool {
        self.refused == 0 && !self.raised
    }

    fn is_flooded(&self) -> bool {
        self.row >= ROW || (self.window.len() == WINDOW && self.refused * SHARE >= WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_twenty_in_a_row_or_one_in_twenty_and_it_passes() {
        let mut flood = Flood::default();
        assert_eq!(flood.observe([true; 19].into_iter()), None);
        assert_eq!(flood.observe([false].into_iter()), None);
        assert_eq!(flood.observe([true; 20].into_iter()), Some(true));
        assert_eq!(flood.observe([true; 5].into_iter()), None, "it is said once");
        assert_eq!(flood.observe([false; 2_000].into_iter()), Some(false));
        assert!(flood.is_calm());
        let one_in_twenty = |number: usize| number.is_multiple_of(20);
        assert_eq!(flood.observe((0..1_000).map(one_in_twenty)), Some(true));
        let one_in_thirty = |number: usize| number.is_multiple_of(30);
        assert_eq!(flood.observe((1..2_000).map(one_in_thirty)), Some(false), "one in thirty is none");
    }
}
