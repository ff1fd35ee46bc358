//! Who is calling, and what it may send.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use event::{Kind, Source};

use crate::apps::{Apps, Grant, Scope};
use crate::rejection::{Rejection, shown};

/// Whoever stands at a door.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody asks for a key here.
    Anyone,
    /// The holder of a key.
    Holder(Vec<Grant>),
    /// A browser that follows an ad's link.
    Link,
}

/// Names of query parameters that would carry a secret into every log on the way.
const SECRET_PARAMETERS: [&str; 7] = ["key", "api_key", "apikey", "token", "access_token", "auth", "authorization"];

/// Finds the caller by its bearer key.
pub(crate) fn identify(apps: &Apps, headers: &HeaderMap) -> Result<Caller, Rejection> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Rejection::new("auth_missing", "send the app's key as Authorization: Bearer"));
    };
    let malformed = || Rejection::new("auth_malformed", "the header must read Authorization: Bearer and one key, once");
    if values.next().is_some() {
        return Err(malformed());
    }
    let (scheme, key) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(malformed)?;
    let is_key = !key.is_empty() && key.len() <= 256 && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !scheme.eq_ignore_ascii_case("bearer") || !is_key {
        return Err(malformed());
    }
    let grants = apps.grants(key);
    if grants.is_empty() {
        return Err(Rejection::new("auth_unknown", "nobody holds this key, or it was withdrawn"));
    }
    Ok(Caller::Holder(grants))
}

/// Refuses a key in the address, where every proxy would write it down.
pub(crate) fn refuse_key_in_query(uri: &Uri) -> Result<(), Rejection> {
    let parameters = uri.query().unwrap_or_default().split('&');
    let is_secret = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        SECRET_PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
    };
    if parameters.into_iter().any(is_secret) {
        return Err(Rejection::new("auth_in_query", "a key never stands in the address; send Authorization: Bearer"));
    }
    Ok(())
}

impl Caller {
    /// Which door this event came through, if the caller may send it for that app.
    ///
    /// A key with both scopes speaks as the SDK where that covers the kind, unless the event says otherwise.
    pub(crate) fn admit(
        &self,
        apps: &Apps,
        app_id: &str,
        kind: Kind,
        stated: Option<Scope>,
    ) -> Result<Source, Rejection> {
        if app_id.bytes().all(|byte| byte.is_ascii_digit()) {
            let hint = format!("no such app; did you mean id{}?", shown(app_id));
            return Err(Rejection::new("app_unknown", hint).at("app_id"));
        }
        let grants = match self {
            Self::Link => return Ok(Source::Link),
            Self::Anyone => return Ok(stated.map_or(Source::Sdk, Scope::source)),
            Self::Holder(grants) => grants,
        };
        if apps.app(app_id).is_none() {
            return Err(unknown_app());
        }
        let Some(grant) = grants.iter().find(|grant| grant.app == app_id) else {
            return Err(Rejection::new("app_forbidden", "the key belongs to another app").at("app_id"));
        };
        let granted = |scope: &Scope| grant.scopes.contains(scope);
        if stated.is_some_and(|scope| !granted(&scope)) {
            return Err(Rejection::new("source_forbidden", "the key does not have this scope").at("source"));
        }
        let candidates = stated.map_or(vec![Scope::Sdk, Scope::S2s], |scope| vec![scope]);
        let covering = candidates.into_iter().find(|scope| granted(scope) && scope.covers(kind));
        covering.map(Scope::source).ok_or_else(|| {
            let message = format!("the scopes of the key do not cover kind {}", kind.as_str());
            Rejection::new("kind_forbidden", message).at("kind")
        })
    }
}

pub(crate) fn unknown_app() -> Rejection {
    Rejection::new("app_unknown", "no such app; is it in the apps file?").at("app_id")
}

impl Scope {
    fn source(self) -> Source {
        match self {
            Self::Sdk => Source::Sdk,
            Self::S2s => Source::S2s,
        }
    }

    /// An app on a device tells what happened to itself; only servers and links tell of ads.
    fn covers(self, kind: Kind) -> bool {
        self == Self::S2s || !kind.is_touch()
    }
}

#[cfg(test)]
mod tests;
