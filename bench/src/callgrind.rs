//! How valgrind is told to count instructions, and what it answers.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

/// Lets valgrind count into this file what the program does that is named next.
pub(crate) fn into(valgrind: &mut Command, file: &Path) {
    valgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", file.display()));
}

/// The sum that stands in what callgrind wrote.
pub(crate) fn total(text: &str) -> anyhow::Result<u64> {
    let sums = text.lines().filter_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    match sums.filter_map(|sum| sum.split(' ').next()?.parse().ok()).max() {
        Some(sum) if sum > 0 => Ok(sum),
        _ => bail!("valgrind counted nothing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_callgrind_is_the_larger_of_its_two() {
        assert_eq!(total("events: Ir\nsummary: 12\ntotals: 34\n").unwrap(), 34);
        assert!(total("events: Ir\n").is_err());
    }
}
