use std::sync::Arc;

use super::*;

fn refused(address: &str) -> Option<&'static str> {
    Guard::default().check(address.parse().unwrap()).err().map(|blocked| blocked.0)
}

#[test]
fn every_range_that_is_not_public_is_refused_from_its_first_address_to_its_last() {
    for (first, last, name) in [
        ("0.0.0.0", "0.255.255.255", "this-network"),
        ("10.0.0.0", "10.255.255.255", "private"),
        ("100.64.0.0", "100.127.255.255", "carrier-grade NAT"),
        ("127.0.0.0", "127.255.255.255", "loopback"),
        ("169.254.0.0", "169.254.255.255", "link-local"),
        ("169.254.169.254", "169.254.169.254", "link-local"),
        ("172.16.0.0", "172.31.255.255", "private"),
        ("192.0.0.0", "192.0.0.255", "reserved"),
        ("192.0.2.0", "192.0.2.255", "documentation"),
        ("192.88.99.0", "192.88.99.255", "6to4"),
        ("192.168.0.0", "192.168.255.255", "private"),
        ("198.18.0.0", "198.19.255.255", "benchmark"),
        ("198.51.100.0", "198.51.100.255", "documentation"),
        ("203.0.113.0", "203.0.113.255", "documentation"),
        ("224.0.0.0", "239.255.255.255", "multicast"),
        ("240.0.0.0", "255.255.255.255", "reserved"),
        ("::", "::", "reserved"),
        ("::1", "::1", "loopback"),
        ("::2", "::ffff", "reserved"),
        ("::ffff:0.0.0.0", "::ffff:255.255.255.255", "mapped IPv4"),
        ("::ffff:8.8.8.8", "::ffff:127.0.0.1", "mapped IPv4"),
        ("64:ff9b::", "64:ff9b::ffff:ffff", "NAT64"),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64"),
        ("100::", "1fff:ffff::", "reserved"),
        ("2001::", "2001:0:ffff::1", "Teredo"),
        ("2001:1::", "2001:1ff:ffff::", "reserved"),
        ("2001:db8::", "2001:db8:ffff::", "documentation"),
        ("2002::", "2002:7f00:1::1", "6to4"),
        ("3fff::", "3fff:fff::", "documentation"),
        ("4000::", "fbff::", "reserved"),
        ("fc00::", "fdff:ffff::1", "private"),
        ("fe80::", "febf::1", "link-local"),
        ("fec0::", "feff::1", "site-local"),
        ("ff00::", "ffff::1", "multicast"),
    ] {
        assert_eq!(refused(first), Some(name), "{first}");
        assert_eq!(refused(last), Some(name), "{last}");
    }
}

#[test]
fn the_addresses_beside_the_refused_ranges_are_public() {
    for address in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "8.8.8.8",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2606:4700::1111",
        "2000::1",
        "3ffe::1",
    ] {
        assert_eq!(refused(address), None, "{address}");
    }
}

#[test]
fn an_operator_may_allow_a_network_and_nothing_beside_it() {
    let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()], PlainHttp::Refused);
    for (address, allowed) in [
        ("127.0.0.1", true),
        ("fd12::1", true),
        ("10.0.0.1", false),
        ("::1", false),
        ("::ffff:127.0.0.1", false),
        ("8.8.8.8", true),
    ] {
        assert_eq!(guard.check(address.parse().unwrap()).is_ok(), allowed, "{address}");
    }
}

#[test]
fn the_names_of_this_machine_are_refused_unless_it_is_allowed() {
    let allowing = Guard::new(vec!["127.0.0.0/8".parse().unwrap()], PlainHttp::Refused);
    for name in ["localhost", "localhost.", "LOCALHOST", "a.localhost", "a.b.localhost."] {
        assert!(Guard::default().check_name(name).is_err(), "{name}");
        assert!(allowing.check_name(name).is_ok(), "{name}");
    }
    assert!(Guard::default().check_name("localhost.example").is_ok());
}

#[tokio::test]
async fn a_name_that_leads_to_a_refused_address_is_blocked_when_it_is_dialled() {
    use reqwest::dns::Resolve;
    let resolve = |guard: Guard| Resolver::new(Arc::new(guard)).resolve("localhost".parse().unwrap());
    let Err(error) = resolve(Guard::default()).await else { panic!("localhost was let through") };
    assert!(error.is::<Blocked>(), "{error}");
    let networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    assert!(resolve(Guard::new(networks, PlainHttp::Refused)).await.is_ok_and(|mut found| found.next().is_some()));
}
