//! The doors of Attributary: events, clicks and impressions over HTTP into Kafka.

use std::process::ExitCode;

use service::Shell;

fn main() -> ExitCode {
    let shell =
        Shell { name: "ingest", version: env!("CARGO_PKG_VERSION"), admin_port: 9100, exit_code: stream::exit_code };
    service::run(shell, ingest::start)
}
