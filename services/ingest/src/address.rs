//! The address of a sender: found behind trusted proxies, and kept only as keyed hashes and a class.

use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use anyhow::Context;
use axum::http::HeaderMap;
use axum::http::header::HeaderName;
use ipnet::IpNet;
use siphasher::sip::SipHasher24;

use crate::rejection::Rejection;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_BYTES: usize = 1_024;

/// The key of the address hashes: equal in every replica and over time, or the same address gets another hash.
#[derive(Clone, Copy)]
pub struct HashKey([u8; 16]);

/// What the rest of the system may know of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Of the IPv4 address or the /64, 16 hex digits.
    pub address: String,
    /// Of the /24 or the /48, 16 hex digits.
    pub network: String,
    pub class: &'static str,
}

/// Knows which peers are proxies and which networks belong to data centres.
pub struct Addresses {
    pub key: HashKey,
    pub trusted_proxies: Vec<IpNet>,
    pub hosting_networks: Vec<IpNet>,
}

impl HashKey {
    /// Reads 32 hex digits from a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("ingest.hash_key_file {}", path.display()))?;
        let mut key = [0; 16];
        hex::decode_to_slice(text.trim(), &mut key)
            .with_context(|| format!("ingest.hash_key_file {} must hold 32 hex digits", path.display()))?;
        Ok(Self(key))
    }

    /// The key of an open ingest, which hides nothing. It is always the same, because a hash may be what puts a touch into
    /// its partition: a touch that is sent again after a restart must land beside its first.
    pub const PUBLIC: Self = Self(*b"attributary-open");

    fn hash(self, scope: u8, bytes: &[u8]) -> String {
        let hasher = SipHasher24::new_with_key(&self.0);
        format!("{:016x}", hasher.hash(&[&[scope], bytes].concat()))
    }
}

impl Addresses {
    /// The sender's address: the peer's, or, where the peer is a trusted proxy, the last one in `X-Forwarded-For`
    /// that is none. What an untrusted peer writes there counts for nothing.
    pub fn sender(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Rejection> {
        let mut sender = peer.to_canonical();
        if !is_within(&self.trusted_proxies, sender) {
            return Ok(sender);
        }
        let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
        if values.iter().map(|value| value.len()).sum::<usize>() > FORWARDED_BYTES {
            return Err(Rejection::new(
                "header_too_long",
                format!("x-forwarded-for has at most {FORWARDED_BYTES} bytes"),
            ));
        }
        for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            let Some(address) = parse_hop(hop.trim()) else { break };
            sender = address;
            if !is_within(&self.trusted_proxies, sender) {
                break;
            }
        }
        Ok(sender)
    }

    pub fn fingerprint(&self, address: IpAddr) -> Fingerprint {
        let (host, network) = match address {
            IpAddr::V4(v4) => (v4.octets().to_vec(), v4.octets().get(..3).unwrap_or_default().to_vec()),
            IpAddr::V6(v6) => {
                let octets = v6.octets();
                (octets.get(..8).unwrap_or_default().to_vec(), octets.get(..6).unwrap_or_default().to_vec())
            }
        };
        Fingerprint {
            address: self.key.hash(b'a', &host),
            network: self.key.hash(b'n', &network),
            class: self.class(address),
        }
    }

    fn class(&self, address: IpAddr) -> &'static str {
        let private = match address {
            IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
            IpAddr::V6(v6) => is_private_v6(v6),
        };
        let carrier_grade = matches!(address, IpAddr::V4(v4) if matches!(v4.octets(), [100, 64..=127, ..]));
        match address {
            _ if private => "private",
            _ if carrier_grade => "cgnat",
            _ if is_within(&self.hosting_networks, address) => "hosting",
            _ => "public",
        }
    }
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let first = address.segments().first().copied().unwrap_or_default();
    address.is_loopback() || address.is_unspecified() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
}

fn is_within(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// An address as proxies write it: bare, `v4:port`, or `[v6]` with or without port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let socket = || hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    hop.parse().ok().or_else(socket).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            key: HashKey(*b"0123456789abcdef"),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            hosting_networks: vec!["203.0.113.0/24".parse().unwrap()],
        }
    }

    #[test]
    fn row_37_only_a_trusted_proxy_may_name_another_address() {
        for (peer, forwarded, expected) in [
            ("198.51.100.7", &["1.2.3.4"][..], "198.51.100.7"),
            ("10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("::ffff:10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.9.9.9"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6", "1.2.3.4,10.9.9.9"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6, garbage, 10.9.9.9"], "10.9.9.9"),
            ("10.0.0.1", &["1.2.3.4:5678"], "1.2.3.4"),
            ("10.0.0.1", &["[2a00::1]:443"], "2a00::1"),
            ("10.0.0.1", &["[2a00::1]"], "2a00::1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ] {
            let headers = forwarded.iter().map(|value| (FORWARDED_FOR, value.parse().unwrap())).collect();
            let sender = addresses().sender(peer.parse().unwrap(), &headers).unwrap();
            assert_eq!(sender.to_string(), expected, "{peer} {forwarded:?}");
        }
        let hops = HeaderMap::from_iter([(FORWARDED_FOR, "1.2.3.4,".repeat(1_000).parse().unwrap())]);
        let refused = addresses().sender("10.0.0.1".parse().unwrap(), &hops).unwrap_err();
        assert_eq!(refused.code, "header_too_long");
    }

    #[test]
    fn an_address_is_kept_as_hashes_of_itself_and_of_its_network() {
        let print = |address: &str| addresses().fingerprint(address.parse().unwrap());
        let (one, neighbour, far) = (print("192.0.2.1"), print("192.0.2.2"), print("192.0.3.1"));
        assert_eq!(one.address.len(), 16);
        assert_ne!(one.address, neighbour.address);
        assert_eq!(one.network, neighbour.network);
        assert_ne!(one.network, far.network);
        assert_ne!(one.address, one.network);
        assert_eq!(print("2a00::1").address, print("2a00::2").address);
        assert_ne!(print("2a00::1").address, print("2a00:0:0:1::1").address);
        assert_eq!(print("2a00::1").network, print("2a00:0:0:1::1").network);
        let other_key = Addresses { key: HashKey::PUBLIC, ..addresses() };
        assert_ne!(other_key.fingerprint("192.0.2.1".parse().unwrap()).address, one.address);
    }

    #[test]
    fn an_address_has_a_class() {
        for (address, expected) in [
            ("8.8.8.8", "public"),
            ("10.1.2.3", "private"),
            ("127.0.0.1", "private"),
            ("100.64.0.1", "cgnat"),
            ("100.128.0.1", "public"),
            ("203.0.113.9", "hosting"),
            ("fd00::1", "private"),
            ("fe80::1", "private"),
            ("2a00::1", "public"),
        ] {
            assert_eq!(addresses().fingerprint(address.parse().unwrap()).class, expected, "{address}");
        }
    }

    #[test]
    fn the_hash_key_is_32_hex_digits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "00112233445566778899aabbccddeeff\n").unwrap();
        assert!(HashKey::read(&path).is_ok());
        std::fs::write(&path, "short").unwrap();
        assert!(HashKey::read(&path).is_err());
        assert!(HashKey::read(&folder.path().join("none")).is_err());
    }
}
