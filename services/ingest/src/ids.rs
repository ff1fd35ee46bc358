//! Identifiers compare byte by byte, so they come in one Unicode form.

use event::{Activity, Text};
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::rejection::Rejection;

/// Refuses an identifier that is not in NFC. A network's own click id is its business and stays as it is.
pub(crate) fn check_normalised(activity: &Activity<'_>) -> Result<(), Rejection> {
    let ids = [
        ("install_id", activity.install_id.as_ref().map(Text::as_str)),
        ("device.customer_user_id", activity.device.customer_user_id.as_ref().map(Text::as_str)),
        ("campaign_id", activity.campaign_id.as_ref().map(Text::as_str)),
        ("adset_id", activity.adset_id.as_ref().map(Text::as_str)),
        ("ad_id", activity.ad_id.as_ref().map(Text::as_str)),
        ("site_id", activity.site_id.as_ref().map(Text::as_str)),
        ("sub_site_id", activity.sub_site_id.as_ref().map(Text::as_str)),
        ("order_id", activity.order_id.as_ref().map(Text::as_str)),
    ];
    let not_normalised = |id: &str| !id.is_ascii() && !ComposingNormalizerBorrowed::new_nfc().is_normalized(id);
    match ids.into_iter().find(|(_, id)| id.is_some_and(not_normalised)) {
        Some((field, _)) => Err(Rejection::new("not_nfc", "an identifier must be in Unicode form NFC").at(field)),
        None => Ok(()),
    }
}
