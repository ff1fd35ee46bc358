//! The part of a URL that decides where a request goes: scheme, host and port. No macro may stand in it.

use event::Refusal;
use url::{Host, Url};

use crate::guard::Guard;

/// Ports that speak something else than HTTP; a request to one of them is an attack or a mistake.
const NOT_HTTP: [u16; 75] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 2049, 2379, 3306, 3659, 5432, 5672, 6000, 6379,
    9092, 11211, 27017,
];

/// A checked scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Such as `https://host:8443`.
    text: String,
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// Splits a URL template into the origin and the rest, which is empty or begins with `/` or `?`.
    pub(crate) fn split<'t>(template: &'t str, guard: &Guard) -> Result<(Self, &'t str), Refusal> {
        if let Some(c) = template.chars().find(|c| c.is_control() || c.is_whitespace()) {
            return Err(Refusal::new(
                "control_char",
                format!("character U+{:04X} is not allowed in a URL", u32::from(c)),
            ));
        }
        let Some((scheme, rest)) = template.split_once("://") else {
            let in_scheme = template.starts_with('{');
            let code = if in_scheme { "macro_position" } else { "url_scheme" };
            return Err(Refusal::new(code, "the URL must begin with https://"));
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(end);
        if scheme.contains('{') || authority.contains('{') {
            return Err(Refusal::new(
                "macro_position",
                "a macro may stand in path and query only, never in scheme, host or port",
            ));
        }
        if after.starts_with('\\') {
            return Err(Refusal::new("url_host", "a backslash after the host"));
        }
        check_scheme(scheme, guard)?;
        Ok((Self::parse(scheme, authority, guard)?, after))
    }

    fn parse(scheme: &str, authority: &str, guard: &Guard) -> Result<Self, Refusal> {
        if authority.contains('@') {
            return Err(Refusal::new("url_userinfo", "user and password do not belong in a URL"));
        }
        let url = Url::parse(&format!("{scheme}://{authority}/")).map_err(|error| match error {
            url::ParseError::InvalidPort => Refusal::new("url_port", "the port is not a number below 65536"),
            error => Refusal::new("url_host", error.to_string()),
        })?;
        let host = url.host().ok_or_else(|| Refusal::new("url_host", "the URL has no host"))?;
        check_host(&host, guard)?;
        let port = url.port_or_known_default().unwrap_or_default();
        if NOT_HTTP.contains(&port) {
            return Err(Refusal::new("url_port", format!("port {port} is not one for HTTP")));
        }
        Ok(Self {
            text: url.origin().ascii_serialization(),
            scheme: url.scheme().to_owned(),
            host: host.to_string(),
            port: url.port(),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a rendered URL still goes where the template said.
    pub(crate) fn is_kept_by(&self, url: &Url) -> bool {
        let host = url.host().map(|host| host.to_string());
        url.scheme() == self.scheme
            && host.as_deref() == Some(&self.host)
            && url.port() == self.port
            && url.username().is_empty()
            && url.password().is_none()
    }
}

fn check_scheme(scheme: &str, guard: &Guard) -> Result<(), Refusal> {
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Ok(()),
        "http" if guard.allows_http() => Ok(()),
        "http" => Err(Refusal::new(
            "url_scheme",
            "http is not allowed here; use https, or allow it (postbacks.allow_http, --allow-http)",
        )),
        _ => Err(Refusal::new("url_scheme", "only https is allowed")),
    }
}

/// The host as the URL parser reads it: every spelling of an address has become that address.
fn check_host(host: &Host<&str>, guard: &Guard) -> Result<(), Refusal> {
    let checked = match host {
        Host::Ipv4(address) => guard.check((*address).into()),
        Host::Ipv6(address) => guard.check((*address).into()),
        Host::Domain(name) => guard.check_name(name),
    };
    checked.map_err(|blocked| {
        Refusal::new(
            "url_private",
            format!("{blocked}; allow its network if that is meant (postbacks.allow_networks, --allow-network)"),
        )
    })
}
