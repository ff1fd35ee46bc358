//! The ports of the contract, or free ones where those are taken.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;

use crate::output::say;

/// The usual port for this, or a free one and a line that says so.
pub(crate) fn choose(what: &str, usual: u16) -> anyhow::Result<SocketAddr> {
    if is_free(usual) {
        return Ok(local(usual));
    }
    let free =
        TcpListener::bind(local(0)).and_then(|listener| listener.local_addr()).context("looking for a free port")?;
    say(format!("port {usual} is taken: {what} is at {} instead", free.port()));
    Ok(free)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(local(port)).is_ok()
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_moves_to_a_free_one() {
        let taken = TcpListener::bind(local(0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(choose("the baker", port).unwrap().port(), port);
        drop(taken);
        assert_eq!(choose("the baker", port).unwrap().port(), port);
    }
}
