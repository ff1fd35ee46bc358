//! The services: are they up, and what stands in their way?

use std::time::Duration;

use reqwest::Client;
use serde_json::Value;

use crate::doctor::finding::Finding;

const WITHIN: Duration = Duration::from_secs(3);
const OURS: &str = env!("CARGO_PKG_VERSION");

const SERVICES: [(&str, u16); 5] =
    [("ingest", 9100), ("attribution", 9101), ("reports", 9102), ("postbacks", 9103), ("canary", 9105)];

pub(crate) async fn examine(client: &Client, host: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (service, port) in SERVICES {
        findings.push(one(client, service, &format!("http://{host}:{port}")).await);
    }
    findings
}

async fn one(client: &Client, service: &str, base: &str) -> Finding {
    let place = format!("{service} at {base}");
    let Some((_, version)) = ask(client, &format!("{base}/version")).await else {
        return Finding::notice(place, "does not answer", format!("start it, if it shall run here: {service} --help"));
    };
    let text = |field: &str| version.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text("service") != service {
        return Finding::danger(place, format!("{} answers there", text("service")), "check admin.listen of both");
    }
    if text("version") != OURS {
        return Finding::notice(
            place,
            format!("version {}, this is {OURS}", text("version")),
            "bring all to one version",
        );
    }
    match ask(client, &format!("{base}/readyz")).await {
        Some((true, _)) => Finding::ok(place, format!("version {OURS}, ready")),
        Some((false, health)) => {
            let troubles = health.get("troubles").map(Value::to_string).unwrap_or_default();
            Finding::danger(place, format!("not ready: {troubles}"), "see its log")
        }
        None => Finding::danger(place, "stopped answering", "see its log"),
    }
}

/// Whether the answer was a success, and what it said.
async fn ask(client: &Client, url: &str) -> Option<(bool, Value)> {
    let response = client.get(url).timeout(WITHIN).send().await.ok()?;
    let success = response.status().is_success();
    Some((success, response.json().await.ok()?))
}
