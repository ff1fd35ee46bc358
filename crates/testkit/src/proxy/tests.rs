use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::*;
use crate::eventually;

/// A server that sends back what it receives, until the client finishes; then it finishes.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = connection.read(&mut buffer) {
                    if connection.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn connect(proxy: &Proxy) -> TcpStream {
    let client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    client
}

/// Sends a word, and returns what comes back, in one read.
fn ask(client: &mut TcpStream, word: &str) -> Result<String, ErrorKind> {
    client.write_all(word.as_bytes()).map_err(|error| error.kind())?;
    answer(client)
}

fn answer(client: &mut TcpStream) -> Result<String, ErrorKind> {
    let mut buffer = [0; 4096];
    let length = client.read(&mut buffer).map_err(|error| error.kind())?;
    Ok(String::from_utf8(buffer[..length].to_vec()).unwrap())
}

fn passing() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo());
    let mut client = connect(&proxy);
    assert_eq!(ask(&mut client, "hello"), Ok("hello".into()));
    (proxy, client)
}

#[test]
fn what_is_delayed_arrives_late_and_in_order() {
    let (proxy, mut client) = passing();
    proxy.set(Mode::Latency(Duration::from_millis(100)));
    let start = Instant::now();
    for word in ["one", "two", "three"] {
        client.write_all(word.as_bytes()).unwrap();
    }
    let mut back = [0; 11];
    client.read_exact(&mut back).unwrap();
    let took = start.elapsed();
    assert_eq!(&back, b"onetwothree");
    assert!(took >= Duration::from_millis(200), "there and back: {took:?}");
    assert!(took < Duration::from_millis(550), "the delays add up: {took:?}");
}

#[test]
fn what_a_hang_held_back_arrives_afterwards() {
    for mode in [Mode::Hang, Mode::HangOneWay(Way::ToServer), Mode::HangOneWay(Way::ToClient)] {
        let (proxy, mut client) = passing();
        proxy.set(mode);
        assert_eq!(ask(&mut client, "held"), Err(ErrorKind::WouldBlock), "{mode:?}");
        let mut late = connect(&proxy); // a hanging server still takes connections
        assert_eq!(ask(&mut late, "late"), Err(ErrorKind::WouldBlock), "{mode:?}");
        proxy.set(Mode::Pass);
        assert_eq!((answer(&mut client), answer(&mut late)), (Ok("held".into()), Ok("late".into())), "{mode:?}");
    }
}

#[test]
fn a_reset_cuts_old_and_new_connections() {
    let (proxy, mut client) = passing();
    proxy.set(Mode::Reset);
    assert_eq!(answer(&mut client), Err(ErrorKind::ConnectionReset));
    assert_eq!(answer(&mut connect(&proxy)), Err(ErrorKind::ConnectionReset));
    proxy.set(Mode::Pass);
    assert_eq!(ask(&mut connect(&proxy), "again"), Ok("again".into()));
}

#[test]
fn a_refusal_looks_like_a_server_that_is_gone() {
    let (proxy, mut client) = passing();
    proxy.set(Mode::Refuse);
    assert_eq!(answer(&mut client), Err(ErrorKind::ConnectionReset));
    eventually("it refuses", || match TcpStream::connect(("127.0.0.1", proxy.port)) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        other => Err(format!("{other:?}")),
    });
    proxy.set(Mode::Pass);
    eventually("it listens", || TcpStream::connect(("127.0.0.1", proxy.port)).map_err(|error| error.to_string()));
    assert_eq!(ask(&mut connect(&proxy), "again"), Ok("again".into()));
}

#[test]
fn a_slice_cuts_a_message_into_segments() {
    let (proxy, mut client) = passing();
    proxy.set(Mode::Slice(1));
    let first = ask(&mut client, "sliced").unwrap();
    assert!(first.len() < 6, "it came whole");
    let mut rest = vec![0; 6 - first.len()];
    client.read_exact(&mut rest).unwrap();
    assert_eq!(first + std::str::from_utf8(&rest).unwrap(), "sliced");
}

#[test]
fn a_bandwidth_is_kept() {
    let (proxy, mut client) = passing();
    proxy.set(Mode::Bandwidth(20_000));
    let start = Instant::now();
    client.write_all(&[7; 10_000]).unwrap();
    client.read_exact(&mut [0; 10_000]).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(450), "{:?}", start.elapsed());
}

#[test]
fn a_half_close_ends_what_the_server_says() {
    let (proxy, mut client) = passing();
    proxy.set(Mode::HalfClose);
    assert_eq!(ask(&mut client, "unheard"), Ok(String::new()));
    client.write_all(b"still taken").unwrap();
}
