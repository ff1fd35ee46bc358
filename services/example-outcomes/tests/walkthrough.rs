//! `docs/adding-a-service.md` shows this service: it must be the one that is compiled here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::Path;

/// The blocks of a Markdown file that are fenced with this language.
fn blocks<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    document.split(opening.as_str()).skip(1).map(|rest| rest.split_once("```").unwrap().0).collect()
}

#[test]
fn every_block_of_the_walk_through_stands_in_the_service() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(here.join("../../docs/adding-a-service.md")).unwrap();
    let read = |name: &str| fs::read_to_string(here.join(name)).unwrap();
    for (language, sources) in [("rust", vec!["src/main.rs", "src/outcomes.rs"]), ("toml", vec!["Cargo.toml"])] {
        let shown = blocks(&document, language);
        assert!(!shown.is_empty(), "no block of {language}");
        let sources: Vec<String> = sources.into_iter().map(read).collect();
        for block in shown {
            assert!(sources.iter().any(|source| source.contains(block)), "not in the service any more:\n{block}");
        }
    }
}

#[test]
fn the_service_stays_under_a_hundred_lines() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines = |name: &str| fs::read_to_string(here.join(name)).unwrap().lines().count();
    assert!(lines("src/main.rs") + lines("src/outcomes.rs") < 100);
}
