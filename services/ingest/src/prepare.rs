//! One event's way from what was sent to what is stored: names, defaults, checks, enrichment.

use event::{Activity, AppId, Kind, Source, Text, Time};
use serde::Deserialize as _;
use serde_json::value::{RawValue, to_raw_value};
use stream::Outgoing;
use uuid::Uuid;

use crate::address::Fingerprint;
use crate::apps::{App, Apps, Scope};
use crate::caller::Caller;
use crate::decode::decode;
use crate::names::{Named, name_fields};
use crate::record;
use crate::rejection::Rejection;
use crate::strict::read_fields;

const TOO_OLD_MS: i64 = 30 * 24 * 3_600_000;
const AHEAD_MS: i64 = 10 * 60_000;
const USER_AGENT_BYTES: usize = 512;

/// What the reading of a request depends on, beside its bytes.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub apps: &'a Apps,
    pub caller: &'a Caller,
    pub sender: &'a Sender,
    pub arrival: Time,
    pub unknown_fields: UnknownFields,
}

/// What the connection tells of whoever sent a request.
#[derive(Clone, Debug)]
pub struct Sender {
    pub fingerprint: Fingerprint,
    pub user_agent: Option<String>,
}

/// What happens to a field that no type knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownFields {
    /// It is stored as it is, and the sender is told.
    #[default]
    Keep,
    /// The event is refused.
    Refuse,
}

/// An event that is ready for Kafka.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub event_id: String,
    pub touch_id: Option<String>,
    pub record: Outgoing,
    pub warnings: Vec<Warning>,
}

/// Odd, but no reason to refuse.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Warning {
    pub code: &'static str,
    pub field: String,
}

/// Checks and completes one event.
pub(crate) fn prepare(event: &RawValue, context: Context<'_>) -> Result<Prepared, Rejection> {
    let fields = read_fields(event)?;
    let mut named = name_fields(&fields)?;
    let kind = named.kind;
    if context.unknown_fields == UnknownFields::Refuse
        && let Some(unknown) = named.warnings.iter().find(|warning| warning.code == "unknown_field")
    {
        return Err(Rejection::new("unknown_field", "no event has such a field").at(&unknown.field));
    }
    let app_id = app_id(&named)?;
    let source = context.caller.admit(context.apps, app_id.as_str(), kind, stated_scope(&named)?)?;
    let app = context.apps.app(app_id.as_str());

    // What stands in for fields lives until the event is written.
    let cut_agent = cut_user_agent(&mut named)?;
    if let Some(agent) = &cut_agent {
        named.replace("user_agent", agent);
    }
    let made_id = default_id(&named)?;
    named.known.extend(made_id.as_deref().map(|id| ("event_id", id)));
    let arrival = default_time(&named, source, context.arrival)?;
    named.known.extend(arrival.as_deref().map(|time| ("event_time", time)));

    let mut activity = decode(&named.known)?;
    check_window(activity.event_time, context.arrival)?;
    enrich(&mut activity, source, context)?;
    complete(&mut activity, app)?;
    record::write(&activity, &named).map(|record| Prepared {
        event_id: activity.event_id.to_string(),
        touch_id: activity.touch_id.as_ref().map(Text::to_string),
        record,
        warnings: named.warnings,
    })
}

fn app_id<'a>(named: &Named<'_, 'a>) -> Result<AppId<'a>, Rejection> {
    let Some(raw) = named.value("app_id") else {
        return Err(Rejection::new("app_unknown", "app_id is required").at("app_id"));
    };
    AppId::deserialize(raw).map_err(|error| Rejection::from_json(&error).at("app_id"))
}

/// A sender may say that it is a server; every other source is ours to tell.
fn stated_scope(named: &Named<'_, '_>) -> Result<Option<Scope>, Rejection> {
    let Some(raw) = named.value("source") else { return Ok(None) };
    let reserved =
        |_| Rejection::new("field_reserved", "source may be sdk or s2s; anything else is set here").at("source");
    Scope::deserialize(raw).map(Some).map_err(reserved)
}

/// An id for an event that came without one.
#[expect(clippy::disallowed_methods, reason = "a door names what came without a name")]
fn default_id(named: &Named<'_, '_>) -> Result<Option<Box<RawValue>>, Rejection> {
    if named.has("event_id") {
        return Ok(None);
    }
    to_raw_value(&Uuid::now_v7().to_string()).map(Some).map_err(|error| Rejection::from_json(&error))
}

/// The time of arrival, for an event that came without one; a server knows when its event was.
fn default_time(named: &Named<'_, '_>, source: Source, arrival: Time) -> Result<Option<Box<RawValue>>, Rejection> {
    match source {
        _ if named.has("event_time") => Ok(None),
        Source::S2s => Err(Rejection::new("field_missing", "event_time is required from servers").at("event_time")),
        _ => to_raw_value(&arrival.millis()).map(Some).map_err(|error| Rejection::from_json(&error)),
    }
}

/// A user agent over the limit is cut, never refused: the sender rarely chose it.
fn cut_user_agent(named: &mut Named<'_, '_>) -> Result<Option<Box<RawValue>>, Rejection> {
    let Some(raw) = named.value("user_agent").filter(|raw| raw.get().len() > USER_AGENT_BYTES) else { return Ok(None) };
    let Ok(agent) = String::deserialize(raw) else { return Ok(None) };
    if agent.len() <= USER_AGENT_BYTES {
        return Ok(None);
    }
    named.warnings.push(Warning { code: "user_agent_cut", field: "user_agent".into() });
    to_raw_value(clean_user_agent(&agent).as_str()).map(Some).map_err(|error| Rejection::from_json(&error))
}

/// A user agent as it may be stored: within the limit, without what no text may hold.
pub(crate) fn clean_user_agent(agent: &str) -> String {
    let end = agent.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= USER_AGENT_BYTES).last();
    let kept = agent.get(..end.unwrap_or_default()).unwrap_or_default();
    if Text::<USER_AGENT_BYTES>::new(kept).is_ok() {
        return kept.to_owned();
    }
    kept.chars().filter(char::is_ascii).filter(|c| !c.is_control()).collect()
}

fn check_window(event_time: Time, arrival: Time) -> Result<(), Rejection> {
    let ahead = event_time.millis() - arrival.millis();
    if ahead > AHEAD_MS {
        return Err(Rejection::new("ts_in_future", "event_time is over 10 minutes ahead").at("event_time"));
    }
    if ahead < -TOO_OLD_MS {
        return Err(Rejection::new("ts_too_old", "event_time is over 30 days ago").at("event_time"));
    }
    Ok(())
}

/// Adds what only the door knows. A server's own address and agent are never those of the device.
#[expect(clippy::disallowed_methods, reason = "a door names what came without a name")]
fn enrich<'a>(activity: &mut Activity<'a>, source: Source, context: Context<'a>) -> Result<(), Rejection> {
    activity.received_at = Some(context.arrival);
    activity.source = Some(source);
    if activity.kind.is_touch() {
        match &activity.touch_id {
            None => activity.touch_id = Some(Text::new(Uuid::now_v7().to_string())?),
            Some(sent) => check_touch_id(sent.as_str())?,
        }
    }
    if !matches!(source, Source::Sdk | Source::Link) {
        return Ok(());
    }
    let Sender { fingerprint, user_agent } = context.sender;
    activity.ip_hash = Some(Text::new(fingerprint.address.as_str())?);
    activity.ip_net_hash = Some(Text::new(fingerprint.network.as_str())?);
    activity.ip_class = Some(Text::new(fingerprint.class)?);
    if activity.user_agent.is_none() {
        activity.user_agent = user_agent.as_deref().map(Text::new).transpose()?;
    }
    Ok(())
}

fn check_touch_id(sent: &str) -> Result<(), Rejection> {
    if Uuid::try_parse(sent).is_err() {
        return Err(
            Rejection::new("touch_id_format", "touch_id is a UUID; leave it out to have one made").at("touch_id")
        );
    }
    Ok(())
}

/// Applies the app's defaults, and checks what no single field can tell.
fn complete(activity: &mut Activity<'_>, app: Option<&App>) -> Result<(), Rejection> {
    if activity.revenue.is_some() && activity.currency.is_none() {
        activity.currency = app.and_then(|app| app.currency);
    }
    if let Some(country) = &mut activity.country {
        let upper = country.as_str().to_ascii_uppercase();
        if upper.len() != 2 || !upper.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(Rejection::new("country_unknown", "country is an ISO 3166 code of two letters").at("country"));
        }
        *country = Text::new(upper)?;
    }
    crate::ids::check_normalised(activity)?;
    activity.check().map_err(|refusal| {
        let field = match refusal.code {
            "currency_missing" => "currency",
            "media_source_reserved" => "media_source",
            _ if activity.kind == Kind::Event => "event_name",
            _ => "media_source",
        };
        Rejection::from(refusal).at(field)
    })
}
