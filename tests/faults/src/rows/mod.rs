//! Every row, in the order of the matrix.

mod endpoints;
mod kafka;
mod process;
mod redis;

use crate::row::Row;

/// The rows that every change must pass.
pub(crate) const SHORT: [&str; 9] = ["1", "1b", "19", "23", "24", "25", "29", "30", "55"];

pub(crate) fn all() -> Vec<Row> {
    let mut rows: Vec<Row> = [process::ROWS, kafka::ROWS, redis::ROWS, endpoints::ROWS].concat();
    rows.sort_by_key(|row| order(row.number));
    rows
}

/// `34b` comes after `34`.
fn order(number: &str) -> (u32, &str) {
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    (number[..digits].parse().unwrap_or(u32::MAX), &number[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_number_of_its_own_and_the_short_ones_exist() {
        let rows = all();
        let numbers: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers.len(), rows.len());
        assert!(SHORT.iter().all(|short| numbers.contains(short)));
        assert!(order("9") < order("10") && order("34") < order("34b") && order("34b") < order("35"));
    }
}
