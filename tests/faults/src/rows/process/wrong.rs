//! Configuration that is wrong.

use std::time::Duration;

use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
const SERVICES: [&str; 4] = ["ingest", "attribution", "reports", "postbacks"];

/// Each is refused by the name of its key, beside replicas that run.
pub(super) fn configuration(fire: &mut Fire) {
    let file = fire.suite.folder().join("wrong.toml");
    std::fs::write(&file, "[kafka]\nbroker = \"127.0.0.1:1\"\n").unwrap();
    let file = file.to_str().unwrap().to_owned();
    let mistakes: [(&[&str], &str); 5] = [
        (&["--config", &file], "kafka.broker"),
        (&["--set", "kafkaa.brokers=127.0.0.1:1"], "kafkaa"),
        (&["--set", "admin.listen=here"], "admin.listen"),
        (&["--set", "kafka.options.acks=1"], "acks"),
        (&["--set", "log.format=xml"], "log.format"),
    ];
    for service in SERVICES {
        for (arguments, key) in mistakes {
            let mut command = fire.suite.command(service);
            command.env("ATTRIBUTARY__ADMIN__LISTEN", "127.0.0.1:0");
            let output = command.args(arguments).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(78), "{service} {arguments:?}: {said}");
            assert!(said.contains(key), "{service} {arguments:?} must name {key}: {said}");
        }
    }
    fire.note(format!("{} starts refused with exit 78, each naming its key", SERVICES.len() * mistakes.len()));
    fire.broken();
    fire.flows(20 * S);
}
