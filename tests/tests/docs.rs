//! The tables of `docs/operating.md` beside the code: every key with its default, every metric.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::repository;

const SERVICES: [&str; 5] = ["ingest", "attribution", "reports", "postbacks", "canary"];

/// One key of one service with the default that it prints.
type Row = (String, String, String);

fn operating() -> String {
    std::fs::read_to_string(repository().join("docs/operating.md")).unwrap()
}

/// What the services say of themselves.
fn printed() -> BTreeSet<Row> {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.toml");
    std::fs::write(&empty, "").unwrap();
    let target = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned();
    let mut rows = BTreeSet::new();
    for service in SERVICES {
        let mut command = Command::new(target.join(service));
        command.env_clear();
        let output = command.arg("--config").arg(&empty).arg("--print-config").output().unwrap();
        assert!(output.status.success(), "{service}: {}", String::from_utf8_lossy(&output.stderr));
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let (key, rest) = line.split_once(" = ").unwrap();
            let (value, _) = rest.rsplit_once("  # ").unwrap();
            rows.insert((key.to_owned(), value.to_owned(), service.to_owned()));
        }
    }
    rows
}

/// The rows of the table "key | default | services | meaning".
fn documented(document: &str) -> BTreeSet<Row> {
    let table = document.split_once("| key | default | services | meaning |").unwrap().1;
    let mut rows = BTreeSet::new();
    for line in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let services = if cells[3] == "all" { SERVICES.to_vec() } else { cells[3].split(", ").collect() };
        if !cells[1].ends_with('*') {
            rows.extend(services.iter().map(|of| (cells[1].to_owned(), cells[2].to_owned(), (*of).to_owned())));
        }
    }
    rows
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The names in `counter!("…")`, `gauge!("…")` and `histogram!("…")`.
fn metrics(source: &str) -> impl Iterator<Item = &str> {
    let calls = ["counter!(\"", "gauge!(\"", "histogram!(\""];
    calls.into_iter().flat_map(|call| source.split(call).skip(1)).map(|rest| rest.split_once('"').unwrap().0)
}

#[test]
fn the_configuration_table_says_what_the_services_print() {
    let (printed, documented) = (printed(), documented(&operating()));
    let missing: Vec<_> = printed.difference(&documented).collect();
    let stale: Vec<_> = documented.difference(&printed).collect();
    assert!(missing.is_empty() && stale.is_empty(), "missing: {missing:#?}\nstale: {stale:#?}");
}

#[test]
fn every_metric_is_explained() {
    let document = operating();
    for folder in ["crates/stream/src", "crates/ledger/src", "crates/service/src", "services"] {
        for path in sources(&repository().join(folder)) {
            let Ok(source) = std::fs::read_to_string(&path) else { continue };
            for name in metrics(&source) {
                assert!(document.contains(&format!("`{name}`")), "{name} of {} is not explained", path.display());
            }
        }
    }
}
