//! Holds the instructions that a record takes to what is committed: they may not grow unnoticed, nor shrink. They are counted
//! in the build that the tests use, where `reports` takes about a quarter more than as it ships: a change shows in both.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum as _};

use crate::callgrind;
use crate::work::{Part, RECORDS};
use crate::world::repository;

#[derive(Args)]
pub(crate) struct Options {
    /// Writes what is counted into the file instead of comparing with it.
    #[arg(long)]
    update: bool,
    /// The committed figures.
    #[arg(long, default_value_os_t = repository().join("bench/instructions.json"))]
    file: PathBuf,
}

/// Instructions per record of each part.
type Figures = BTreeMap<Part, u64>;

/// By so much a figure may differ from the committed one.
const MARGIN: f64 = 0.03;
/// What a process does before and after the work is in both, and drops out.
const PASSES: [u64; 2] = [2, 12];

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let found: Figures =
        Part::value_variants().iter().map(|&part| Ok((part, count(part)?))).collect::<anyhow::Result<_>>()?;
    let file = options.file.display();
    if options.update {
        let text = serde_json::to_string_pretty(&found)? + "\n";
        std::fs::write(&options.file, &text).with_context(|| format!("writing {file}"))?;
        print!("{file}: {text}");
        return Ok(());
    }
    let committed = std::fs::read_to_string(&options.file).with_context(|| format!("reading {file}"))?;
    let committed: Figures = serde_json::from_str(&committed).with_context(|| format!("reading {file}"))?;
    let verdicts: Vec<String> = found.iter().filter_map(|(part, &figure)| judge(*part, figure, &committed)).collect();
    ensure!(
        verdicts.is_empty(),
        "{}.\nIf that is meant, `make instructions UPDATE=true` writes the new figures: commit them with the change",
        verdicts.join("; ")
    );
    Ok(())
}

/// Says what is wrong with a figure, if anything.
fn judge(part: Part, figure: u64, committed: &Figures) -> Option<String> {
    let Some(&before) = committed.get(&part) else { return Some(format!("{part:?} has no committed figure")) };
    let change = figure as f64 / before as f64 - 1.0;
    println!("{part:?}: {figure} instructions a record, committed are {before} ({:+.1} %)", change * 100.0);
    let direction = if change > 0.0 { "more" } else { "less" };
    let percent = change.abs() * 100.0;
    (change.abs() > MARGIN).then(|| format!("{part:?} takes {percent:.1} % {direction} instructions than committed"))
}

/// Instructions per record, by two runs that differ in nothing but the number of passes.
fn count(part: Part) -> anyhow::Result<u64> {
    let folder = tempfile::tempdir()?;
    let mut sums = [0, 0];
    for (passes, sum) in PASSES.into_iter().zip(&mut sums) {
        let counted = folder.path().join(format!("{passes}"));
        let mut command = Command::new("valgrind");
        callgrind::into(&mut command, &counted);
        command.arg(std::env::current_exe()?).args(["work", "--of", part.name(), "--passes", &passes.to_string()]);
        let output = command.output().context("starting valgrind: install it, or run `make instructions`")?;
        ensure!(output.status.success(), "valgrind: {}", String::from_utf8_lossy(&output.stderr));
        *sum = callgrind::total(&std::fs::read_to_string(&counted)?)?;
    }
    let [few, many] = sums;
    ensure!(many > few, "valgrind counted {few} and {many} instructions");
    Ok((many - few) / (RECORDS * (PASSES[1] - PASSES[0])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_may_neither_grow_nor_shrink_unnoticed() {
        let committed = Figures::from([(Part::Reports, 1_000)]);
        for (figure, is_fine) in [(1_000, true), (1_029, true), (971, true), (1_031, false), (969, false)] {
            assert_eq!(judge(Part::Reports, figure, &committed).is_none(), is_fine, "{figure}");
        }
        assert!(judge(Part::Decide, 1, &committed).is_some_and(|why| why.contains("no committed figure")));
    }
}
