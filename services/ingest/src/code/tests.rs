//! `docs/errors.md` explains every code, and no code is made up outside the list.

use std::fs;
use std::path::{Path, PathBuf};

use super::CODES;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_code_stands_in_the_docs_with_its_status() {
    let docs = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    for (code, status) in CODES {
        let line = docs.lines().find(|line| line.contains(&format!("<a id=\"{code}\"></a>`{code}`")));
        let line = line.unwrap_or_else(|| panic!("{code} is missing in docs/errors.md"));
        let as_warning = line.contains("| warning |");
        assert!(as_warning || line.contains(&format!("| {status} |")), "{code}: {line}");
    }
    let documented = docs.matches("<a id=\"").count();
    assert_eq!(documented, CODES.len(), "docs/errors.md explains a code that no door answers");
}

#[test]
fn every_code_in_the_source_is_listed() {
    let mut found = 0;
    for folder in ["services/ingest/src", "crates/event/src"] {
        for file in sources(&root().join(folder)).into_iter().filter(|file| !file.ends_with("tests.rs")) {
            let text = fs::read_to_string(&file).unwrap();
            for maker in ["Rejection::new(", "Refusal::new(", "refuse("] {
                for after in text.split(maker).skip(1) {
                    let Some(code) = after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next())
                    else {
                        continue;
                    };
                    assert!(CODES.iter().any(|(listed, _)| *listed == code), "{code} in {}", file.display());
                    found += 1;
                }
            }
        }
    }
    assert!(found > 60, "{found}");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else {
            files.push(path);
        }
    }
    files
}
