//! What names a device: identifiers of several types, in the order in which they are trusted.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

use crate::Refusal;
use crate::text::Text;

/// A device identifier in lower case; an all-zero one never becomes a value of this type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct DeviceId<'a>(Cow<'a, str>);

/// The types of identifier, in the order in which a match is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdType {
    Idfa,
    AdvertisingId,
    Oaid,
    AmazonAid,
    AndroidId,
    Idfv,
    Sha256,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct Device<'a> {
    #[serde(borrow, deserialize_with = "uuid_id", skip_serializing_if = "Option::is_none")]
    pub idfa: Option<DeviceId<'a>>,
    #[serde(borrow, deserialize_with = "uuid_id", skip_serializing_if = "Option::is_none")]
    pub idfv: Option<DeviceId<'a>>,
    #[serde(borrow, deserialize_with = "uuid_id", skip_serializing_if = "Option::is_none")]
    pub advertising_id: Option<DeviceId<'a>>,
    #[serde(borrow, deserialize_with = "free_id", skip_serializing_if = "Option::is_none")]
    pub android_id: Option<DeviceId<'a>>,
    #[serde(borrow, deserialize_with = "free_id", skip_serializing_if = "Option::is_none")]
    pub oaid: Option<DeviceId<'a>>,
    #[serde(borrow, deserialize_with = "uuid_id", skip_serializing_if = "Option::is_none")]
    pub amazon_aid: Option<DeviceId<'a>>,
    #[serde(borrow, deserialize_with = "hashed_id", skip_serializing_if = "Option::is_none")]
    pub idfa_sha256: Option<DeviceId<'a>>,
    #[serde(borrow, deserialize_with = "hashed_id", skip_serializing_if = "Option::is_none")]
    pub advertising_id_sha256: Option<DeviceId<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub customer_user_id: Option<Text<'a, 128>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<Text<'a, 64>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub model: Option<Text<'a, 100>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub language: Option<Text<'a, 35>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub limit_ad_tracking: bool,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub att: Option<Text<'a, 32>>,
}

impl Device<'_> {
    /// The identifiers that may match a touch to an install, most trusted first. Under limit-ad-tracking
    /// the advertising identifiers match nothing.
    pub fn matching_ids(&self) -> impl Iterator<Item = (IdType, &str)> {
        let for_ads = [
            (IdType::Idfa, &self.idfa),
            (IdType::AdvertisingId, &self.advertising_id),
            (IdType::Oaid, &self.oaid),
            (IdType::AmazonAid, &self.amazon_aid),
        ];
        let not_for_ads = [(IdType::AndroidId, &self.android_id), (IdType::Idfv, &self.idfv)];
        let hashed = [(IdType::Sha256, &self.idfa_sha256), (IdType::Sha256, &self.advertising_id_sha256)];
        let tracked = usize::from(!self.limit_ad_tracking);
        for_ads
            .into_iter()
            .take(tracked * 4)
            .chain(not_for_ads)
            .chain(hashed.into_iter().take(tracked * 2))
            .filter_map(|(kind, id)| id.as_ref().map(|id| (kind, id.as_str())))
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl IdType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idfa => "idfa",
            Self::AdvertisingId => "advertising_id",
            Self::Oaid => "oaid",
            Self::AmazonAid => "amazon_aid",
            Self::AndroidId => "android_id",
            Self::Idfv => "idfv",
            Self::Sha256 => "sha256",
        }
    }
}

impl DeviceId<'_> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn uuid_id<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DeviceId<'a>>, D::Error> {
    device_id(deserializer, "a UUID", |text| uuid::Uuid::try_parse(text).is_ok())
}

fn hashed_id<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DeviceId<'a>>, D::Error> {
    device_id(deserializer, "64 hex digits", |text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn free_id<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DeviceId<'a>>, D::Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    device_id(deserializer, "1 to 64 of [A-Za-z0-9-]", |text| text.len() <= 64 && text.bytes().all(allowed))
}

/// All-zero identifiers, which a phone gives under limit-ad-tracking, and empty ones count as absent.
fn device_id<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
    shape: &str,
    valid: impl Fn(&str) -> bool,
) -> Result<Option<DeviceId<'a>>, D::Error> {
    let Some(text) = Option::<Text<'a, 256>>::deserialize(deserializer)? else { return Ok(None) };
    let text = text.as_str().to_owned();
    if text.bytes().all(|byte| matches!(byte, b'0' | b'-')) {
        return Ok(None);
    }
    if !valid(&text) {
        let received = text.len();
        let refusal =
            Refusal::new("device_id_format", format!("the identifier must be {shape}, received {received} bytes"));
        return Err(de::Error::custom(refusal));
    }
    Ok(Some(DeviceId(Cow::Owned(text.to_ascii_lowercase()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_all_zero_id_is_absent_and_case_does_not_matter() {
        let device: Device =
            serde_json::from_str(r#"{"idfa":"00000000-0000-0000-0000-000000000000","oaid":"ABC-1"}"#).unwrap();
        assert_eq!(device.matching_ids().collect::<Vec<_>>(), [(IdType::Oaid, "abc-1")]);
    }

    #[test]
    fn limit_ad_tracking_leaves_only_the_ids_that_are_not_for_ads() {
        let device: Device = serde_json::from_str(
            r#"{"oaid":"o1","idfv":"6d92078a-8246-4ba4-ae5b-76104861e7dc","limit_ad_tracking":true}"#,
        )
        .unwrap();
        assert_eq!(device.matching_ids().map(|(kind, _)| kind).collect::<Vec<_>>(), [IdType::Idfv]);
    }

    #[test]
    fn an_id_of_the_wrong_shape_is_refused() {
        let refused = serde_json::from_str::<Device>(r#"{"idfa":"not-a-uuid"}"#).unwrap_err().to_string();
        assert!(refused.starts_with("device_id_format: "), "{refused}");
    }
}
