//! The stage `record`: decisions that stand in `installs` become an index by install.

use anyhow::Context as _;
use event::{AppId, Attribution, EventId, Text};
use ledger::Effects;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use stream::{Batch, Offset, Partition};

use crate::keys;
use crate::known::Known;

/// What a decided install says of itself; programs that publish to `installs` on their own may leave the attribution out.
#[derive(Deserialize)]
pub(crate) struct Decided<'b> {
    #[serde(borrow)]
    app_id: AppId<'b>,
    #[serde(borrow)]
    event_id: EventId<'b>,
    #[serde(borrow, default)]
    install_id: Option<Text<'b, 128>>,
    #[serde(borrow, default, deserialize_with = "attribution")]
    attribution: Option<&'b RawValue>,
}

/// The index entries of a batch: the first decision on an install stays for good.
pub(crate) fn record(batch: &mut Batch<'_>) -> anyhow::Result<Effects> {
    let partition = batch.partition().clone();
    let mut effects = Effects::default();
    for record in batch.decode::<Decided<'_>>() {
        let source = record.header("src").map(String::from_utf8_lossy);
        let source = source.map_or_else(|| place(&partition, record.offset), |source| source.into_owned());
        let (key, known) = entry(&record.value, source)?;
        effects.set_first(&key, &serde_json::to_vec(&known)?);
    }
    Ok(effects)
}

/// What one decision adds to the index.
pub(crate) fn entry(decided: &Decided<'_>, source: String) -> anyhow::Result<(String, Known)> {
    let install_id = decided.install_id.as_ref().map(Text::as_str).filter(|id| !id.is_empty());
    let key = keys::decision_on(decided.app_id.as_str(), install_id.unwrap_or(decided.event_id.as_str()));
    let attribution = match decided.attribution {
        Some(attribution) => attribution.to_owned(),
        None => to_raw_value(&Attribution::default()).context("writing an attribution")?,
    };
    Ok((key, Known { source, attribution }))
}

/// Where a record stands that came from nowhere else.
fn place(partition: &Partition, offset: Offset) -> String {
    format!("{partition}/{offset}")
}

/// Checks the attribution, and keeps it as it came.
fn attribution<'de: 'b, 'b, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'b RawValue>, D::Error> {
    let Some(text) = Option::<&'de RawValue>::deserialize(deserializer)? else { return Ok(None) };
    let checked: Result<Attribution<'_>, _> = serde_json::from_str(text.get());
    checked.map(|_| Some(text)).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(more: &str) -> String {
        format!(r#"{{"event_id":"e","app_id":"game","event_time":1795342272345{more}}}"#)
    }

    #[test]
    fn the_attribution_is_kept_as_it_came_under_the_name_of_the_install() {
        for (more, key, attribution) in [
            (
                r#","install_id":"x","attribution":{ "status":"organic", "later":1}"#,
                "i:game:x",
                r#"{ "status":"organic", "later":1}"#,
            ),
            (r#","install_id":"","attribution":{}"#, "i:game:e", "{}"),
            ("", "i:game:e", r#"{"status":"organic","conversion":"install","version":0}"#),
            (r#","attribution":null"#, "i:game:e", r#"{"status":"organic","conversion":"install","version":0}"#),
        ] {
            let record = record(more);
            let (found, known) = entry(&serde_json::from_str(&record).unwrap(), "activity/3/117".into()).unwrap();
            assert_eq!((found.as_str(), known.attribution.get()), (key, attribution), "{more}");
            assert_eq!(known.source, "activity/3/117");
        }
    }

    #[test]
    fn an_attribution_that_no_event_could_carry_is_refused() {
        for wrong in [r#","attribution":7"#, r#","attribution":{"status":"won"}"#, r#","attribution":{"sub1":7}"#] {
            assert!(serde_json::from_str::<Decided>(&record(wrong)).is_err(), "{wrong}");
        }
    }
}
