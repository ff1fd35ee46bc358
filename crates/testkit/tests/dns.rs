//! The name server of the tests is asked by a program that knows nothing of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::net::Ipv4Addr;
use std::process::Command;

use testkit::{Dns, Name};

fn look_up(dns: &Dns, host: &str) -> String {
    let wrapper = dns.wrapper();
    let output = Command::new(wrapper[0]).args(&wrapper[1..]).args(["getent", "ahostsv4", host]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).split_whitespace().next().unwrap_or_default().to_owned()
}

#[test]
fn names_are_what_the_test_says_and_may_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let dns = Dns::start(folder.path());
    dns.set("here.example", Name::Is(Ipv4Addr::new(192, 0, 2, 1)));
    dns.set("turns.example", Name::Turns(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)));
    dns.set("broken.example", Name::ServFail);
    for (host, expected) in [
        ("here.example", "192.0.2.1"),
        ("here.example", "192.0.2.1"),
        ("turns.example", "192.0.2.1"),
        ("turns.example", "192.0.2.2"),
        ("turns.example", "192.0.2.1"),
        ("broken.example", ""),
        ("unheard.example", ""),
    ] {
        assert_eq!(look_up(&dns, host), expected, "{host}");
    }
    assert!(dns.asked("here.example") >= 2);
}
