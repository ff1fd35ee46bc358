//! What a decision depends on besides the events: the windows of apps and networks, as one versioned snapshot.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use event::TouchType;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::window::Window;

/// The rules that hold while they are passed in: `decide` knows no others.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    version: String,
    apps: BTreeMap<String, AppWindows>,
}

/// The apps file, of which other services read other fields.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    app: Vec<App>,
}

#[derive(Deserialize)]
struct App {
    id: String,
    #[serde(default)]
    windows: AppWindows,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct AppWindows {
    #[serde(deserialize_with = "window")]
    click: Option<Window>,
    #[serde(deserialize_with = "window")]
    impression: Option<Window>,
    /// By media source.
    networks: BTreeMap<String, NetworkWindows>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct NetworkWindows {
    #[serde(deserialize_with = "window")]
    click: Option<Window>,
    #[serde(deserialize_with = "window")]
    impression: Option<Window>,
}

impl Default for Rules {
    /// No app says anything: the default windows.
    fn default() -> Self {
        Self { version: "default".into(), apps: BTreeMap::new() }
    }
}

impl Rules {
    /// Reads the apps file:
    ///
    /// ```toml
    /// [[app]]
    /// id = "com.example.game"
    /// windows = { click = "7d", impression = "24h", networks = { acme = { click = "14d" } } }
    /// ```
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        let mut apps = BTreeMap::new();
        for app in file.app {
            if apps.contains_key(&app.id) {
                bail!("app {} is there twice", app.id);
            }
            apps.insert(app.id, app.windows);
        }
        apps.retain(|_, windows| *windows != AppWindows::default());
        let version = version_of(&apps)?;
        Ok(Self { version, apps })
    }

    /// Equal for equal rules, whatever else the file says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The window of a touch: the link's own over the network's over the app's over the default, within the bounds.
    pub fn window(&self, touch: TouchType, link: Option<&str>, app_id: &str, media_source: &str) -> Window {
        let app = self.apps.get(app_id);
        let network = app.and_then(|app| app.networks.get(media_source));
        let (network, app) = match touch {
            TouchType::Click => (network.and_then(|network| network.click), app.and_then(|app| app.click)),
            TouchType::Impression => {
                (network.and_then(|network| network.impression), app.and_then(|app| app.impression))
            }
        };
        let link = link.and_then(Window::parse);
        link.or(network).or(app).unwrap_or_else(|| Window::default_of(touch)).clamped(touch)
    }
}

fn version_of(apps: &BTreeMap<String, AppWindows>) -> anyhow::Result<String> {
    if apps.is_empty() {
        return Ok(Rules::default().version);
    }
    let canonical = serde_json::to_vec(apps).context("writing the rules down")?;
    let digest = hex::encode(Sha256::digest(canonical));
    Ok(digest[..12].to_owned())
}

fn window<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Window>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong =
        || serde::de::Error::custom(format!("a window is a number of days or hours, such as 7d or 24h, not {text:?}"));
    Window::parse(&text).ok_or_else(wrong).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPS: &str = r#"
        [[app]]
        id = "game"
        store_url = "https://play.example/game"
        windows = { click = "3d", networks = { acme = { click = "14d", impression = "2h" }, long = { click = "90d" } } }
    "#;

    #[test]
    fn link_over_network_over_app_over_default() {
        let rules = Rules::parse(APPS).unwrap();
        for (touch, link, app, network, expected) in [
            (TouchType::Click, Some("5d"), "game", "acme", "5d"),
            (TouchType::Click, Some("soon"), "game", "acme", "14d"),
            (TouchType::Click, None, "game", "acme", "14d"),
            (TouchType::Click, None, "game", "other", "3d"),
            (TouchType::Click, None, "unknown", "acme", "7d"),
            (TouchType::Click, None, "game", "long", "30d"),
            (TouchType::Click, Some("60d"), "unknown", "acme", "30d"),
            (TouchType::Impression, None, "game", "acme", "2h"),
            (TouchType::Impression, None, "game", "other", "24h"),
            (TouchType::Impression, Some("7d"), "game", "acme", "24h"),
        ] {
            let window = rules.window(touch, link, app, network);
            assert_eq!(Some(window), Window::parse(expected), "{touch:?} {link:?} {app} {network}");
        }
    }

    #[test]
    fn a_wrong_file_is_refused_and_says_where() {
        for (text, named) in [
            ("[[app]]\nid = \"a\"\nwindows = { click = \"soon\" }", "soon"),
            ("[[app]]\nid = \"a\"\nwindows = { clicks = \"7d\" }", "clicks"),
            ("[[app]]\nid = \"a\"\n[[app]]\nid = \"a\"", "twice"),
            ("[[app]]", "id"),
        ] {
            let refused = Rules::parse(text).unwrap_err().to_string();
            assert!(refused.contains(named), "{refused}");
        }
    }

    #[test]
    fn the_version_changes_with_the_rules_and_with_nothing_else() {
        let version = |text: &str| Rules::parse(text).unwrap().version().to_owned();
        assert_eq!(version(""), Rules::default().version());
        assert_eq!(version("[[app]]\nid = \"a\""), Rules::default().version());
        assert_eq!(version(APPS), version(&APPS.replace("play.example", "other.example")));
        assert_ne!(version(APPS), version(&APPS.replace("3d", "4d")));
    }
}
