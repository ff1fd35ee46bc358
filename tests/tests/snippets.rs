//! The clients of `docs/publish/`: the README quotes them letter for letter, and what they publish is counted.

#![allow(clippy::disallowed_methods, reason = "a test is about now")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use testkit::{Suite, eventually_within, repository};

fn snippet(name: &str) -> PathBuf {
    repository().join("docs/publish").join(name)
}

/// The Python that `deploy/need.sh python-kafka` makes.
fn python() -> PathBuf {
    let usual = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/attributary");
    let cache = std::env::var_os("ATTRIBUTARY_CACHE").map_or_else(usual, PathBuf::from);
    let python = cache.join("python-kafka/bin/python");
    assert!(python.exists(), "{} is missing: run deploy/need.sh python-kafka", python.display());
    python
}

fn run(suite: &Suite, command: &mut Command) {
    let output = command.env("BROKERS", suite.kafka.brokers()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {error}", output.status);
}

/// Installs by media source since yesterday: a test may run at midnight.
fn installs(suite: &Suite) -> BTreeMap<String, i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let yesterday = i64::try_from((now - Duration::from_secs(86_400)).as_millis()).unwrap();
    let yesterday = event::Time::from_trusted_millis(yesterday).to_string();
    let from = yesterday.split_once('T').unwrap().0;
    let path = format!("/v1/stats?from={from}&granularity=total&metrics=installs&group_by=media_source");
    let answer = suite.ask("reports", &path);
    let rows = answer["rows"].as_array().unwrap().iter();
    rows.map(|row| (row["media_source"].as_str().unwrap().to_owned(), row["installs"].as_i64().unwrap())).collect()
}

#[test]
fn what_kcat_and_python_publish_is_counted() {
    let mut suite = Suite::start();
    suite.run("reports");
    run(&suite, Command::new("sh").arg(snippet("publish.sh")));
    run(&suite, Command::new(python()).arg(snippet("publish.py")));
    let expected = BTreeMap::from([("kcat".to_owned(), 1), ("python".to_owned(), 1)]);
    eventually_within(Duration::from_secs(60), "both installs are counted", || {
        let found = installs(&suite);
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    });
}

#[test]
fn the_readme_quotes_every_client_letter_for_letter() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let mut quoted = 0;
    for entry in std::fs::read_dir(repository().join("docs/publish")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(readme.contains(&format!("\n{text}```\n")), "README.md does not quote {}", path.display());
        quoted += 1;
    }
    assert!(quoted >= 5, "{quoted} clients");
}
