//! Where Redis is: what `redis.url` says.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo};

use super::sentinel::Sentinels;

const FORMS: &str = "write redis://user:password@host:port/database, redis+cluster://host:port,host:port, \
                     redis+sentinel://host:port,host:port/primary/database, or the same with rediss for TLS";

pub(super) enum Place {
    Server(ConnectionInfo),
    /// Whichever server the sentinels name.
    Sentinel(Sentinels),
    /// Any of its nodes; the others are learnt from them.
    Cluster(Vec<ConnectionInfo>),
}

impl Place {
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("there is no scheme: {FORMS}"))?;
        match scheme.split_once('+') {
            Some((scheme @ ("redis" | "rediss"), "cluster")) => Self::cluster(&Hosts::parse(scheme, rest)?),
            Some((scheme @ ("redis" | "rediss"), "sentinel")) => Self::sentinel(&Hosts::parse(scheme, rest)?),
            _ => url.into_connection_info().map(Self::Server).map_err(|error| format!("{error}: {FORMS}")),
        }
    }

    fn cluster(hosts: &Hosts<'_>) -> Result<Self, String> {
        if !matches!(hosts.path, "" | "0") {
            return Err(format!("a cluster has only database 0: {FORMS}"));
        }
        hosts.infos(hosts.credentials, "6379", "0").map(Self::Cluster)
    }

    fn sentinel(hosts: &Hosts<'_>) -> Result<Self, String> {
        let (service, database) = hosts.path.split_once('/').unwrap_or((hosts.path, "0"));
        if service.is_empty() {
            return Err(format!("the path must name the primary as the sentinels do: {FORMS}"));
        }
        let primary = hosts.infos(hosts.credentials, "6379", database)?.swap_remove(0);
        Ok(Self::Sentinel(Sentinels {
            open: hosts.infos("", "26379", "0")?,
            guarded: hosts.infos(hosts.credentials, "26379", "0")?,
            service: service.to_owned(),
            primary,
        }))
    }
}

/// Without user and password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |infos: &[ConnectionInfo]| -> String {
            infos.iter().map(|info| info.addr().to_string()).collect::<Vec<_>>().join(",")
        };
        match self {
            Self::Server(info) => info.addr().fmt(f),
            Self::Sentinel(sentinels) => write!(f, "{} (primary {})", list(&sentinels.open), sentinels.service),
            Self::Cluster(nodes) => write!(f, "{} (cluster)", list(nodes)),
        }
    }
}

/// A URL that names several hosts, which no URL library reads.
struct Hosts<'a> {
    scheme: &'a str,
    /// `user:password@`, or nothing.
    credentials: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
}

impl<'a> Hosts<'a> {
    fn parse(scheme: &'a str, rest: &'a str) -> Result<Self, String> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let hosts: Vec<&str> = hosts.split(',').collect();
        if hosts.iter().any(|host| host.is_empty()) {
            return Err(format!("a host is missing: {FORMS}"));
        }
        Ok(Self { scheme, credentials, hosts, path: path.trim_end_matches('/') })
    }

    fn infos(&self, credentials: &str, port: &str, database: &str) -> Result<Vec<ConnectionInfo>, String> {
        let info = |host: &&str| {
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
            let host = if has_port { (*host).to_owned() } else { format!("{host}:{port}") };
            let url = format!("{}://{credentials}{host}/{database}", self.scheme);
            url.into_connection_info().map_err(|error| format!("{host}: {error}: {FORMS}"))
        };
        self.hosts.iter().map(info).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_without_its_password() {
        for (url, shown) in [
            ("redis://cache/2", "cache:6379"),
            ("rediss://user:secret@cache:7000", "cache:7000"),
            ("valkey://cache:7000", "cache:7000"),
            ("unix:///run/redis.sock", "/run/redis.sock"),
            ("redis+cluster://a:1,b,[::1]:3", "a:1,b:6379,::1:3 (cluster)"),
            ("rediss+cluster://user:secret@a:1,b:2/", "a:1,b:2 (cluster)"),
            ("redis+sentinel://a:1,b/main", "a:1,b:26379 (primary main)"),
            ("rediss+sentinel://:se@cret@a/main/3", "a:26379 (primary main)"),
        ] {
            let place = Place::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(place.to_string(), shown, "{url}");
        }
    }

    #[test]
    fn every_node_has_the_password_and_a_sentinel_only_where_it_asks() {
        let Ok(Place::Cluster(nodes)) = Place::parse("redis+cluster://user:pass%20word@a:1,b:2") else { panic!() };
        for node in &nodes {
            assert_eq!(node.redis_settings().username(), Some("user"));
            assert_eq!(node.redis_settings().password(), Some("pass word"));
        }
        let Ok(Place::Sentinel(sentinels)) = Place::parse("redis+sentinel://:word@a:1,b:2/main/3") else { panic!() };
        assert_eq!(sentinels.primary.redis_settings().db(), 3);
        assert_eq!(sentinels.primary.redis_settings().password(), Some("word"));
        assert!(sentinels.open.iter().all(|info| info.redis_settings().password().is_none()));
        assert!(sentinels.guarded.iter().all(|info| info.redis_settings().password() == Some("word")));
    }

    #[test]
    fn a_wrong_address_names_the_forms() {
        for url in [
            "there",
            "http://cache:6379",
            "redis+clutser://a:1",
            "redis+cluster://",
            "redis+cluster://a:1,,b:2",
            "redis+cluster://a:1/5",
            "redis+cluster://a:port",
            "redis+sentinel://a:1",
            "redis+sentinel://a:1/main/five",
        ] {
            let Err(error) = Place::parse(url) else { panic!("{url} was accepted") };
            for form in ["redis://user:password@host:port/database", "redis+cluster://", "redis+sentinel://"] {
                assert!(error.contains(form), "{url}: {error}");
            }
        }
    }
}
