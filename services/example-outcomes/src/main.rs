//! Counts what came of every postback, by day and endpoint: the example of `docs/adding-a-service.md`.

mod outcomes;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use axum::routing::{Router, get};
use event::topic;
use ledger::{Ledger, Reader};
use serde::{Deserialize, Serialize};
use service::Shell;
use stream::Stage;

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    kafka: stream::Kafka,
    redis: ledger::Redis,
    http: Http,
}

#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Http {
    /// Where `/v1/outcomes/{day}` answers.
    listen: SocketAddr,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8082)) }
    }
}

const SHELL: Shell =
    Shell { name: "outcomes", version: env!("CARGO_PKG_VERSION"), admin_port: 9104, exit_code: stream::exit_code };

fn main() -> ExitCode {
    service::run(SHELL, |service, Config { kafka, redis, http }| {
        let reader = service.handle().block_on(Reader::open(&redis, "outcomes.postbacks", topic::POSTBACKS))?;
        service.stage("postbacks", move |name, running| {
            let ledger = Ledger::open(&redis, name, topic::POSTBACKS)?;
            let stage = Stage::open(&kafka, name, topic::POSTBACKS, ledger, outcomes::count)?;
            Ok(stage.run(|trouble| running.turn(trouble))?)
        });
        service.http(http.listen, Router::new().route("/v1/outcomes/{day}", get(outcomes::answer)).with_state(reader))
    })
}
