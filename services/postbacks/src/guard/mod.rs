//! Where a request may go. Rules come from people who do not own the network this runs in: an address that is not
//! public is refused when a rule is loaded, and again at every connect, on the address that is really dialled.

mod resolver;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

pub(crate) use resolver::Resolver;

/// Which addresses and schemes rules may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    allowed: Vec<IpNet>,
    http: PlainHttp,
}

/// Whether `http://` without TLS is let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainHttp {
    #[default]
    Refused,
    Allowed,
}

/// An address that no request may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blocked(&'static str);

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the host is a {} address, where no postback may go", self.0)
    }
}

impl std::error::Error for Blocked {}

impl Guard {
    /// Lets through what is public, and the networks that the operator allows.
    pub fn new(allowed: Vec<IpNet>, http: PlainHttp) -> Self {
        Self { allowed, http }
    }

    pub(crate) fn allows_http(&self) -> bool {
        self.http == PlainHttp::Allowed
    }

    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Blocked> {
        if self.allowed.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        let refused = match address {
            IpAddr::V4(address) => REFUSED_V4.iter().find(|range| range.contains(address)).map(|range| range.name),
            IpAddr::V6(address) => refused_v6(address),
        };
        refused.map_or(Ok(()), |name| Err(Blocked(name)))
    }

    /// The names that mean this machine by definition; what other names mean is known when they are dialled.
    pub(crate) fn check_name(&self, name: &str) -> Result<(), Blocked> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name == "localhost" || name.ends_with(".localhost") {
            return self.check(Ipv4Addr::LOCALHOST.into()).or_else(|_| self.check(Ipv6Addr::LOCALHOST.into()));
        }
        Ok(())
    }
}

struct RangeV4 {
    name: &'static str,
    network: Ipv4Addr,
    bits: u32,
}

impl RangeV4 {
    const fn new(name: &'static str, network: [u8; 4], bits: u32) -> Self {
        let [a, b, c, d] = network;
        Self { name, network: Ipv4Addr::new(a, b, c, d), bits }
    }

    fn contains(&self, address: Ipv4Addr) -> bool {
        let shift = 32 - self.bits;
        address.to_bits() >> shift == self.network.to_bits() >> shift
    }
}

const REFUSED_V4: [RangeV4; 15] = [
    RangeV4::new("this-network", [0, 0, 0, 0], 8),
    RangeV4::new("private", [10, 0, 0, 0], 8),
    RangeV4::new("carrier-grade NAT", [100, 64, 0, 0], 10),
    RangeV4::new("loopback", [127, 0, 0, 0], 8),
    RangeV4::new("link-local", [169, 254, 0, 0], 16),
    RangeV4::new("private", [172, 16, 0, 0], 12),
    RangeV4::new("reserved", [192, 0, 0, 0], 24),
    RangeV4::new("documentation", [192, 0, 2, 0], 24),
    RangeV4::new("6to4", [192, 88, 99, 0], 24),
    RangeV4::new("private", [192, 168, 0, 0], 16),
    RangeV4::new("benchmark", [198, 18, 0, 0], 15),
    RangeV4::new("documentation", [198, 51, 100, 0], 24),
    RangeV4::new("documentation", [203, 0, 113, 0], 24),
    RangeV4::new("multicast", [224, 0, 0, 0], 4),
    RangeV4::new("reserved", [240, 0, 0, 0], 4),
];

struct RangeV6 {
    name: &'static str,
    network: Ipv6Addr,
    bits: u32,
}

impl RangeV6 {
    const fn new(name: &'static str, high: [u16; 3], bits: u32) -> Self {
        let [a, b, c] = high;
        Self { name, network: Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits }
    }

    fn contains(&self, address: Ipv6Addr) -> bool {
        let shift = 128 - self.bits;
        address.to_bits() >> shift == self.network.to_bits() >> shift
    }
}

/// Inside `2000::/3`, which alone is handed out; everything else is refused whatever it is called.
const REFUSED_V6: [RangeV6; 5] = [
    RangeV6::new("Teredo", [0x2001, 0, 0], 32),
    RangeV6::new("reserved", [0x2001, 0, 0], 23),
    RangeV6::new("documentation", [0x2001, 0xdb8, 0], 32),
    RangeV6::new("6to4", [0x2002, 0, 0], 16),
    RangeV6::new("documentation", [0x3fff, 0, 0], 20),
];

const NAMED_V6: [RangeV6; 6] = [
    RangeV6::new("NAT64", [0x64, 0xff9b, 0], 96),
    RangeV6::new("NAT64", [0x64, 0xff9b, 1], 48),
    RangeV6::new("private", [0xfc00, 0, 0], 7),
    RangeV6::new("link-local", [0xfe80, 0, 0], 10),
    RangeV6::new("site-local", [0xfec0, 0, 0], 10),
    RangeV6::new("multicast", [0xff00, 0, 0], 8),
];

fn refused_v6(address: Ipv6Addr) -> Option<&'static str> {
    let within =
        |ranges: &'static [RangeV6]| ranges.iter().find(|range| range.contains(address)).map(|range| range.name);
    let is_handed_out = RangeV6::new("", [0x2000, 0, 0], 3).contains(address);
    match address {
        Ipv6Addr::LOCALHOST => Some("loopback"),
        _ if address.to_ipv4_mapped().is_some() => Some("mapped IPv4"),
        _ if is_handed_out => within(&REFUSED_V6),
        _ => within(&NAMED_V6).or(Some("reserved")),
    }
}

#[cfg(test)]
mod tests;
