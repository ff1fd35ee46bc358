//! Clocks that are wrong, and clocks that step.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rand::seq::SliceRandom as _;

use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
/// Not ingest: its clock is the time of what it is sent, and says in which order a click and an install came.
const WITH_CLOCK: [&str; 3] = ["attribution", "reports", "postbacks"];
const HOUR: i64 = 3_600;

/// The clocks of everybody behind Kafka step by an hour, to and fro; those of the first replicas and of the second ones
/// each by themselves.
pub(super) fn steps(fire: &mut Fire) {
    let library = compile(&fire.suite.folder());
    let clocks = ["clock", "clock-2"].map(|name| fire.suite.folder().join(name));
    clocks.iter().for_each(|clock| set(clock, 0));
    for service in WITH_CLOCK {
        for (clock, name) in clocks.iter().zip([service.to_owned(), format!("{service}-2")]) {
            let preload = format!("LD_PRELOAD={}", library.display());
            let offset = format!("CLOCK_OFFSET_FILE={}", clock.display());
            fire.suite.through(service, &["env", &preload, &offset]);
            fire.suite.service(&name).signal("TERM");
            assert!(fire.suite.service(&name).wait(40 * S).success(), "{name}");
            fire.suite.run(&name);
        }
    }
    fire.note("the clock of ingest stays: it is the events' own");
    let mut offsets = [HOUR, -HOUR, HOUR, -HOUR, 0];
    for _ in 0..2 {
        offsets.shuffle(&mut fire.random);
        for offset in offsets {
            set(&clocks[fire.pick(2)], offset);
            fire.broken();
            fire.flows(30 * S);
        }
    }
    let delivered = fire.receiver.all_hits().len();
    clocks.iter().for_each(|clock| set(clock, 0));
    fire.mended();
    fire.flows(30 * S);
    fire.figure("requests to networks under wrong clocks", delivered);
}

/// The clock is a library that stands before the system's own.
fn compile(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    std::fs::write(&source, include_str!("clock.c")).unwrap();
    let output =
        Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

fn set(clock: &Path, offset: i64) {
    // Whole or not at all, however often it is read meanwhile.
    let aside = clock.with_extension("new");
    std::fs::write(&aside, format!("{offset}\n")).unwrap();
    std::fs::rename(aside, clock).unwrap();
}
