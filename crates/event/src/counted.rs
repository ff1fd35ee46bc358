//! The lean views that counting needs: a reader decodes only the fields it uses.

use serde::Deserialize;

use crate::{AppId, Conversion, Currency, EventId, Kind, Micros, Platform, Refusal, Status, Text, Time, TouchType};

/// A decided install, as a counter sees it. Without an attribution it is organic.
#[derive(Debug, Deserialize)]
pub struct Install<'a> {
    #[serde(borrow)]
    pub event_id: EventId<'a>,
    #[serde(borrow)]
    pub app_id: AppId<'a>,
    pub event_time: Time,
    #[serde(default)]
    pub platform: Option<Platform>,
    #[serde(borrow, default)]
    pub country: Option<Text<'a, 2>>,
    #[serde(default)]
    pub test: bool,
    #[serde(borrow, default)]
    attribution: Earned<'a>,
}

/// Who earned it, as far as counting needs to know.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct Earned<'a> {
    pub status: Status,
    pub conversion: Conversion,
    #[serde(borrow)]
    pub media_source: Text<'a, 150>,
    #[serde(borrow)]
    pub campaign: Option<Text<'a, 100>>,
    pub touch_type: Option<TouchType>,
    correction: bool,
    #[serde(borrow)]
    previous: Option<Box<Earned<'a>>>,
}

/// An in-app event or session of topic `events`, with what it was worth.
#[derive(Debug, Deserialize)]
#[serde(try_from = "ValuedFields<'a>", bound(deserialize = "'de: 'a"))]
pub struct Valued<'a> {
    pub app_id: AppId<'a>,
    pub event_time: Time,
    pub kind: Kind,
    pub platform: Option<Platform>,
    pub country: Option<Text<'a, 2>>,
    pub event_name: Option<Text<'a, 100>>,
    pub value: Option<(Micros, Currency)>,
    pub test: bool,
    pub attribution: Earned<'a>,
}

/// A click or an impression of topic `activity`; of any other kind only the kind matters.
#[derive(Debug, Deserialize)]
pub struct Touch<'a> {
    #[serde(borrow)]
    pub event_id: EventId<'a>,
    #[serde(borrow)]
    pub app_id: AppId<'a>,
    pub event_time: Time,
    pub kind: Kind,
    #[serde(default)]
    pub platform: Option<Platform>,
    #[serde(borrow, default)]
    pub country: Option<Text<'a, 2>>,
    #[serde(borrow, default)]
    pub media_source: Option<Text<'a, 150>>,
    #[serde(borrow, default)]
    pub campaign: Option<Text<'a, 100>>,
    #[serde(default)]
    pub test: bool,
}

impl<'a> Install<'a> {
    /// The attribution that holds now.
    pub fn current(&self) -> &Earned<'a> {
        &self.attribution
    }

    /// The attribution that a correction took back.
    pub fn previous(&self) -> Option<&Earned<'a>> {
        if self.attribution.correction { self.attribution.previous.as_deref() } else { None }
    }
}

impl Default for Earned<'_> {
    fn default() -> Self {
        Self {
            status: Status::Organic,
            conversion: Conversion::Install,
            media_source: Text::from(std::borrow::Cow::Borrowed(crate::ORGANIC)),
            campaign: None,
            touch_type: None,
            correction: false,
            previous: None,
        }
    }
}

#[derive(Deserialize)]
struct ValuedFields<'a> {
    #[serde(borrow)]
    app_id: AppId<'a>,
    event_time: Time,
    #[serde(default = "event")]
    kind: Kind,
    #[serde(default)]
    platform: Option<Platform>,
    #[serde(borrow, default)]
    country: Option<Text<'a, 2>>,
    #[serde(borrow, default)]
    event_name: Option<Text<'a, 100>>,
    #[serde(default)]
    revenue: Option<Micros>,
    #[serde(default)]
    currency: Option<Currency>,
    #[serde(default)]
    test: bool,
    #[serde(borrow, default)]
    attribution: Earned<'a>,
}

fn event() -> Kind {
    Kind::Event
}

impl<'a> TryFrom<ValuedFields<'a>> for Valued<'a> {
    type Error = Refusal;

    fn try_from(fields: ValuedFields<'a>) -> Result<Self, Refusal> {
        let value = match (fields.revenue, fields.currency) {
            (Some(revenue), Some(currency)) => Some((revenue, currency)),
            (Some(_), None) => return Err(Refusal::new("currency_missing", "revenue needs a currency")),
            (None, _) => None,
        };
        let ValuedFields { app_id, event_time, kind, platform, country, event_name, test, attribution, .. } = fields;
        Ok(Self { app_id, event_time, kind, platform, country, event_name, value, test, attribution })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_names_what_it_takes_back() {
        let record = r#"{"event_id":"1","app_id":"a","event_time":"2026-11-22T00:00:00Z","attribution":
            {"status":"attributed","media_source":"acme","correction":true,"previous":{"media_source":"other"}}}"#;
        let install: Install = serde_json::from_str(record).unwrap();
        assert_eq!(install.current().media_source.as_str(), "acme");
        assert_eq!(install.previous().unwrap().media_source.as_str(), "other");
    }

    #[test]
    fn revenue_without_currency_is_refused() {
        let record = r#"{"app_id":"a","event_time":"2026-11-22T00:00:00Z","revenue":"1"}"#;
        let refused = serde_json::from_str::<Valued>(record).unwrap_err().to_string();
        assert!(refused.starts_with("currency_missing: "), "{refused}");
    }

    #[test]
    fn strings_without_escapes_are_borrowed_from_the_record() {
        let record = String::from(r#"{"event_id":"e","app_id":"a","event_time":1795342272345,"country":"DE"}"#);
        let install: Install = serde_json::from_str(&record).unwrap();
        let country = install.country.as_ref().unwrap().as_str();
        assert!(record.as_bytes().as_ptr_range().contains(&country.as_ptr()));
    }
}
