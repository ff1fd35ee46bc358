//! `healthcheck`: asks the running service whether it is ready, for containers without curl.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const WITHIN: Duration = Duration::from_secs(3);

pub(crate) fn healthcheck(listen: SocketAddr) -> Result<()> {
    let address =
        if listen.ip().is_unspecified() { (IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port()).into() } else { listen };
    let mut stream = TcpStream::connect_timeout(&address, WITHIN).with_context(|| format!("no answer at {address}"))?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.write_all(format!("GET /readyz HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !head.contains(" 200 ") {
        bail!("not ready: {body}");
    }
    println!("{body}");
    Ok(())
}
