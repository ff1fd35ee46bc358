//! Attribution: reads `activity`, decides who earned each install, publishes `installs` and `events`.

use std::process::ExitCode;

use service::Shell;

fn main() -> ExitCode {
    let shell = Shell {
        name: "attribution",
        version: env!("CARGO_PKG_VERSION"),
        admin_port: 9101,
        exit_code: stream::exit_code,
    };
    service::run(shell, attribution::start)
}
