//! The postbacks service; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let shell = service::Shell {
        name: "postbacks",
        version: env!("CARGO_PKG_VERSION"),
        admin_port: 9103,
        exit_code: stream::exit_code,
    };
    service::run(shell, postbacks::start)
}
