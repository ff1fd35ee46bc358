//! What the store's install referrer says of the click before the install.

use std::borrow::Cow;

use event::Text;
use percent_encoding::percent_decode_str;

use crate::touch::Touch;

/// The parameters of a referrer that tell which click it was. Of a repeated parameter the first counts; a value that
/// no touch could have is as good as absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Referrer {
    pub(crate) touch_id: Option<Text<'static, 64>>,
    pub(crate) click_id: Option<Text<'static, 256>>,
    pub(crate) media_source: Option<Text<'static, 150>>,
    pub(crate) campaign: Option<Text<'static, 100>>,
}

impl Referrer {
    pub(crate) fn parse(text: &str) -> Self {
        let mut referrer = Self::default();
        for pair in whole(text).split('&') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else { continue };
            match event::canonical_name(&name) {
                "touch_id" => keep(&mut referrer.touch_id, value),
                "click_id" => keep(&mut referrer.click_id, value),
                "media_source" if value != event::ORGANIC => keep(&mut referrer.media_source, value),
                "campaign" => keep(&mut referrer.campaign, value),
                _ => {}
            }
        }
        referrer
    }

    /// Whether this is the touch that it names. A click id is only unique within its network.
    pub(crate) fn names(&self, touch: &Touch<'_>) -> bool {
        let same_touch = self.touch_id.as_ref().is_some_and(|id| *id == touch.touch_id);
        let same_click = self.click_id.is_some() && self.click_id == touch.origin.click_id;
        let same_network = self.media_source.as_ref().is_none_or(|source| *source == touch.origin.media_source);
        same_touch || (same_click && same_network)
    }
}

/// Some stores and SDKs hand the referrer over as it stood in the link, encoded once more.
fn whole(text: &str) -> Cow<'_, str> {
    if text.contains('=') { text.into() } else { percent_decode_str(text).decode_utf8_lossy() }
}

fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

fn keep<const MAX: usize>(field: &mut Option<Text<'static, MAX>>, value: String) {
    if field.is_none() && !value.is_empty() {
        *field = Text::new(value).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_referrer_is_a_query_string() {
        for (text, touch_id, click_id, media_source, campaign) in [
            ("touch_id=t-1&media_source=acme&campaign=spring+sale&click_id=c%2F1", "t-1", "c/1", "acme", "spring sale"),
            ("pid=acme&c=spring&clickid=c1", "", "c1", "acme", "spring"),
            ("touch_id%3Dt-1%26media_source%3Dacme", "t-1", "", "acme", ""),
            ("touch_id=first&touch_id=second", "first", "", "", ""),
            ("touch_id=%FF&media_source=a%00b", "", "", "", ""),
            ("media_source=organic&utm_source=google-play&utm_medium=organic", "", "", "", ""),
            ("=&&touch_id&click_id=", "", "", "", ""),
            ("", "", "", "", ""),
        ] {
            let found = Referrer::parse(text);
            let shown = (
                found.touch_id.as_ref().map_or("", Text::as_str),
                found.click_id.as_ref().map_or("", Text::as_str),
                found.media_source.as_ref().map_or("", Text::as_str),
                found.campaign.as_ref().map_or("", Text::as_str),
            );
            assert_eq!(shown, (touch_id, click_id, media_source, campaign), "{text}");
        }
    }
}
