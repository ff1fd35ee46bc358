//! Pipes: what a macro does to its value before it is encoded for the place where it stands.

use event::{Refusal, Time};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::encode;

/// `raw` is not among them: it says how the result is encoded, not what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pipe {
    Upper,
    Lower,
    Md5,
    Sha1,
    Sha256,
    Urlencode,
    Json,
    Unix,
    UnixMillis,
    Iso,
    Default(String),
}

impl Pipe {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let pipe = match text {
            "upper" => Self::Upper,
            "lower" => Self::Lower,
            "md5" => Self::Md5,
            "sha1" => Self::Sha1,
            "sha256" => Self::Sha256,
            "urlencode" => Self::Urlencode,
            "json" => Self::Json,
            "unix" => Self::Unix,
            "unix_ms" => Self::UnixMillis,
            "iso" => Self::Iso,
            text => Self::Default(text.strip_prefix("default:")?.to_owned()),
        };
        Some(pipe)
    }

    /// Nothing comes of nothing: only `default` and `json` make something of an empty value.
    pub(crate) fn apply(&self, text: String) -> Result<String, Refusal> {
        if text.is_empty() {
            return Ok(match self {
                Self::Default(default) => default.clone(),
                Self::Json => "\"\"".to_owned(),
                _ => text,
            });
        }
        Ok(match self {
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Md5 => hex::encode(Md5::digest(text)),
            Self::Sha1 => hex::encode(Sha1::digest(text)),
            Self::Sha256 => hex::encode(Sha256::digest(text)),
            Self::Urlencode => encode::component(&text),
            Self::Json => encode::json(&text),
            Self::Unix => time(&text)?.millis().div_euclid(1_000).to_string(),
            Self::UnixMillis => time(&text)?.millis().to_string(),
            Self::Iso => time(&text)?.to_string(),
            Self::Default(_) => text,
        })
    }
}

fn time(text: &str) -> Result<Time, Refusal> {
    let parsed = match text.parse() {
        Ok(millis) => Time::from_millis(millis),
        Err(_) => Time::parse(text),
    };
    parsed.map_err(|_| Refusal::new("template", "the value of a time macro is not a time"))
}
