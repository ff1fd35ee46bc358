//! From named fields to the typed event, and from serde's error to the field it is about.

use event::Activity;
use serde::Deserialize as _;
use serde::de::value::MapDeserializer;
use serde_json::value::RawValue;

use crate::rejection::Rejection;

/// Decodes an event; only a refused one is read again to find out which field it was.
pub(crate) fn decode<'a>(fields: &[(&str, &'a RawValue)]) -> Result<Activity<'a>, Rejection> {
    let map = || MapDeserializer::<'a, _, serde_json::Error>::new(fields.iter().copied());
    if let Ok(activity) = Activity::deserialize(map()) {
        return Ok(activity);
    }
    serde_path_to_error::deserialize::<_, Activity<'a>>(map()).map_err(|error| {
        let path = error.path().to_string();
        let rejection = Rejection::from_json(error.inner());
        if path == "." { rejection } else { rejection.at(&path) }
    })
}
