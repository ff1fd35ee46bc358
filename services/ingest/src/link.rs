//! From a link's query to a click or an impression: no I/O.
//!
//! Links are written by hand and filled in by ad networks, and a browser waits at the other end. So a parameter that
//! its field refuses (an id macro that nobody filled in, a name that is too long) is kept under `params` instead, and
//! only what makes the touch worthless is an error.

use event::{Kind, canonical_name};
use serde_json::{Map, Value};

use crate::prepare::{Context, Prepared, Warning, prepare};
use crate::rejection::Rejection;
use crate::{query, shape};

/// What a link may say of the touch itself; `params` takes the rest.
const TOUCH_FIELDS: [&str; 24] = [
    "media_source",
    "campaign",
    "campaign_id",
    "adset",
    "adset_id",
    "ad",
    "ad_id",
    "channel",
    "keywords",
    "site_id",
    "sub_site_id",
    "partner",
    "sub1",
    "sub2",
    "sub3",
    "sub4",
    "sub5",
    "click_id",
    "platform",
    "click_window",
    "view_window",
    "signature",
    "retargeting",
    "test",
];
const FLAGS: [&str; 3] = ["retargeting", "test", "limit_ad_tracking"];
/// Without this nobody can earn anything by the touch.
const REQUIRED: &str = "media_source";

/// A touch, and the wish where the browser should go.
pub(crate) struct Link {
    pub(crate) prepared: Prepared,
    pub(crate) redirect: Option<String>,
}

/// Reads the query of a link of the app. Of a parameter that stands there twice, the first counts.
pub(crate) fn read_link(kind: Kind, app_id: &str, query: &str, context: Context<'_>) -> Result<Link, Rejection> {
    let mut touch = Touch::new(kind, app_id);
    for (name, value) in query::parse(query)? {
        touch.take(&name, value);
    }
    let redirect = touch.params.remove("redirect").and_then(|value| value.as_str().map(str::to_owned));
    let mut warnings = Vec::new();
    loop {
        match touch.prepare(context) {
            Ok(mut prepared) => {
                prepared.warnings.append(&mut warnings);
                return Ok(Link { prepared, redirect });
            }
            Err(rejection) => {
                let field = rejection.field.clone().filter(|field| touch.keep_in_params(field)).ok_or(rejection)?;
                warnings.push(Warning { code: "kept_in_params", field });
            }
        }
    }
}

struct Touch {
    fields: Map<String, Value>,
    device: Map<String, Value>,
    params: Map<String, Value>,
}

impl Touch {
    fn new(kind: Kind, app_id: &str) -> Self {
        let fields = [("kind", kind.as_str()), ("app_id", app_id)];
        Self {
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
            device: Map::new(),
            params: Map::new(),
        }
    }

    fn take(&mut self, name: &str, value: String) {
        let own = canonical_name(name);
        let flag = FLAGS.contains(&own).then(|| flag(&value)).flatten();
        let (place, name) = if TOUCH_FIELDS.contains(&own) && (flag.is_some() || !FLAGS.contains(&own)) {
            (&mut self.fields, own)
        } else if shape::DEVICE.contains(own) && (flag.is_some() || !FLAGS.contains(&own)) {
            (&mut self.device, own)
        } else {
            (&mut self.params, name)
        };
        place.entry(name).or_insert_with(|| flag.map_or(Value::String(value), Value::Bool));
    }

    fn prepare(&self, context: Context<'_>) -> Result<Prepared, Rejection> {
        let mut event = self.fields.clone();
        for (name, part) in [("device", &self.device), ("params", &self.params)] {
            if !part.is_empty() {
                event.insert(name.into(), Value::Object(part.clone()));
            }
        }
        let event = serde_json::value::to_raw_value(&event).map_err(|error| Rejection::from_json(&error))?;
        prepare(&event, context)
    }

    /// Moves a refused parameter to where any text may stand; false when that is no way out.
    fn keep_in_params(&mut self, field: &str) -> bool {
        if field == REQUIRED {
            return false;
        }
        let name = field.strip_prefix("device.").unwrap_or(field);
        let place = if name == field { &mut self.fields } else { &mut self.device };
        let Some(value) = place.shift_remove(name).filter(|_| name != "kind" && name != "app_id") else { return false };
        self.params.entry(name).or_insert(value);
        true
    }
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
