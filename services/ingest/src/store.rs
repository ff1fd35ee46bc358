//! Where a click leads: the app's store, never a stranger's address.

use event::{Activity, Text};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::rejection::Rejection;

const PLAY_HOST: &str = "play.google.com";
/// What an install may carry as `referrer`.
const REFERRER_CHARACTERS: usize = 1_024;

/// Where the browser goes, by the link's `redirect` and the app's store URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The answer is JSON.
    Stay,
    Go(Url),
}

/// Decides where a link leads. `redirect` may be `0`, `1`, or a URL on the host of the app's store URL.
pub(crate) fn destination(redirect: Option<&str>, store_url: Option<&Url>) -> Result<Destination, Rejection> {
    match redirect {
        Some("0") => Ok(Destination::Stay),
        None | Some("" | "1") => Ok(store_url.map_or(Destination::Stay, |url| Destination::Go(url.clone()))),
        Some(wish) => {
            let refuse = || {
                Rejection::new(
                    "redirect_not_allowed",
                    "redirect may be 0, 1, or a URL on the host of the app's store URL",
                )
                .at("redirect")
            };
            // Browsers read `\` and a missing scheme in their own ways, so only the plain spelling is looked at.
            let is_plain = wish.starts_with("https://") || wish.starts_with("http://");
            let wish = Url::parse(wish).ok().filter(|_| is_plain && !wish.contains('\\')).ok_or_else(refuse)?;
            let store = store_url.ok_or_else(refuse)?;
            let same_place = wish.origin() == store.origin() && wish.username().is_empty() && wish.password().is_none();
            if same_place { Ok(Destination::Go(wish)) } else { Err(refuse()) }
        }
    }
}

/// Lets Google Play hand the click to the app it installs. Other stores pass nothing on.
pub(crate) fn with_referrer(mut url: Url, click: &Activity<'_>) -> Url {
    if url.host_str() != Some(PLAY_HOST) {
        return url;
    }
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "referrer")
        .map(|(n, v)| (n.into_owned(), v.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("referrer", &referrer(click));
    url
}

/// The most telling first; what does not fit is left out from the end.
fn referrer(click: &Activity<'_>) -> String {
    let mut parts = vec![
        ("touch_id", click.touch_id.as_ref().map(Text::as_str)),
        ("media_source", click.media_source.as_ref().map(Text::as_str)),
        ("click_id", click.click_id.as_ref().map(Text::as_str)),
        ("campaign", click.campaign.as_ref().map(Text::as_str)),
    ];
    loop {
        let mut text = Serializer::new(String::new());
        for (name, value) in &parts {
            if let Some(value) = value {
                text.append_pair(name, value);
            }
        }
        let text = text.finish();
        if text.len() <= REFERRER_CHARACTERS || parts.pop().is_none() {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play() -> Url {
        Url::parse("https://play.google.com/store/apps/details?id=com.example.game").unwrap()
    }

    fn click(campaign: &str) -> String {
        format!(
            r#"{{"event_id":"e1","kind":"click","app_id":"a","event_time":1795342272345,"touch_id":"t-1",
                "media_source":"net work","campaign":"{campaign}","click_id":"c&1"}}"#
        )
    }

    #[test]
    fn rows_45_and_46_a_link_never_leads_to_a_stranger() {
        for (redirect, expected) in [
            (None, "go"),
            (Some(""), "go"),
            (Some("1"), "go"),
            (Some("0"), "stay"),
            (Some("https://play.google.com/store/apps/details?id=other"), "go"),
            (Some("https://evil.example/"), "redirect_not_allowed"),
            (Some("https://play.google.com.evil.example/"), "redirect_not_allowed"),
            (Some("https://play.google.com@evil.example/"), "redirect_not_allowed"),
            (Some("https://user@play.google.com/"), "redirect_not_allowed"),
            (Some("https://play.google.com:8443/"), "redirect_not_allowed"),
            (Some("http://play.google.com/"), "redirect_not_allowed"),
            (Some("javascript:alert(1)"), "redirect_not_allowed"),
            (Some("//evil.example"), "redirect_not_allowed"),
            (Some("\\\\evil.example"), "redirect_not_allowed"),
            (Some("https:\\\\evil.example"), "redirect_not_allowed"),
            (Some("https://play.google.com\\@evil.example"), "redirect_not_allowed"),
            (Some("/relative"), "redirect_not_allowed"),
            (Some("2"), "redirect_not_allowed"),
        ] {
            let code = match destination(redirect, Some(&play())) {
                Ok(Destination::Go(_)) => "go",
                Ok(Destination::Stay) => "stay",
                Err(rejection) => rejection.code,
            };
            assert_eq!(code, expected, "{redirect:?}");
        }
        assert_eq!(destination(None, None).unwrap(), Destination::Stay);
        assert_eq!(destination(Some("https://play.google.com/"), None).unwrap_err().code, "redirect_not_allowed");
    }

    #[test]
    fn a_play_url_carries_the_click_to_the_install() {
        let text = click("spring");
        let activity: Activity = serde_json::from_str(&text).unwrap();
        let url = with_referrer(Url::parse(&format!("{}&referrer=old&hl=en", play())).unwrap(), &activity);
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let referrer = "touch_id=t-1&media_source=net+work&click_id=c%261&campaign=spring";
        let expected = [("id", "com.example.game"), ("hl", "en"), ("referrer", referrer)];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

        let elsewhere = Url::parse("https://apps.apple.com/app/id1").unwrap();
        assert_eq!(with_referrer(elsewhere.clone(), &activity), elsewhere);
    }

    #[test]
    fn a_referrer_that_is_too_long_loses_its_campaign_first() {
        let text = click(&"€".repeat(100));
        let activity: Activity = serde_json::from_str(&text).unwrap();
        assert_eq!(
            referrer(&activity).len(),
            "touch_id=t-1&media_source=net+work&click_id=c%261&campaign=".len() + 900
        );
        let long = text.replace("c&1", &"é".repeat(60));
        let activity: Activity = serde_json::from_str(&long).unwrap();
        assert!(!referrer(&activity).contains("campaign") && referrer(&activity).contains("click_id"));
    }
}
