//! The oracle's least cases, through all three stages.

use serde_json::{Value, json};

use crate::world::{DAY, INSTALLED, World, activity, summary, touch};

struct Case {
    name: &'static str,
    log: Vec<String>,
    expected: &'static [&'static str],
}

fn case(name: &'static str, log: impl IntoIterator<Item = String>, expected: &'static [&'static str]) -> Case {
    Case { name, log: log.into_iter().collect(), expected }
}

fn install() -> String {
    activity("install", "i", json!({ "install_id": "install" }))
}

fn click(id: &str, age: i64) -> String {
    touch("click", id, age, json!({}))
}

fn impression(id: &str, age: i64) -> String {
    touch("impression", id, age, json!({}))
}

fn least_cases() -> Vec<Case> {
    let zero = json!({ "device": { "advertising_id": "00000000-0000-0000-0000-000000000000" } });
    let referred = json!({ "referrer": "click_id=told", "install_id": "install" });
    let told = json!({ "click_id": "told", "device": {}, "received_at": INSTALLED });
    let by_id = json!({ "received_at": INSTALLED + 9 });
    let long = json!({ "click_window": "60d" });
    let five = ["c1", "c2", "c3"].into_iter().zip(1..).map(|(id, days)| click(id, days * DAY));
    vec![
        case("a: just inside", [click("c", 7 * DAY - 1), install()], &["i: c"]),
        case("a: both ends count", [click("c", 7 * DAY), install()], &["i: c"]),
        case("a: the other end", [click("c", 0), install()], &["i: c"]),
        case("a: just outside", [click("c", 7 * DAY + 1), install()], &["i: organic (outside_window)"]),
        case("b: a click before an impression", [click("c", DAY), impression("v", 60_000), install()], &["i: c +1"]),
        case(
            "d: by referrer before by id",
            [touch("click", "b", 5, told), touch("click", "c", 5, by_id), activity("install", "i", referred)],
            &["i: b +1"],
        ),
        case(
            "e: a click for another app",
            [touch("click", "c", DAY, json!({ "app_id": "other" })), install()],
            &["i: organic"],
        ),
        case("h: the install before its click", [install(), click("c", 500)], &["i: c"]),
        case("i: the same install twice", [click("c", DAY), install(), install()], &["i: c"]),
        case(
            "i: the same install under another event id",
            [click("c", DAY), install(), activity("install", "j", json!({ "install_id": "install" }))],
            &["i: c"],
        ),
        case(
            "l: all-zero ids",
            [touch("click", "c", DAY, zero.clone()), activity("install", "i", zero)],
            &["i: organic"],
        ),
        case("m: no organic row beside a paid one", [impression("v", 1), install()], &["i: v"]),
        case("o: a window of 60d is 30d", [touch("click", "c", 30 * DAY, long.clone()), install()], &["i: c"]),
        case(
            "o: and not longer",
            [touch("click", "c", 30 * DAY + 1, long), install()],
            &["i: organic (outside_window)"],
        ),
        case(
            "p: three contributors of five touches",
            five.chain([impression("v1", 5), impression("v2", 6), install()]),
            &["i: c1 +3"],
        ),
    ]
}

/// Case n is in every row: decided again 30 days later, when the touches are long forgotten, nothing changes.
#[test]
fn the_oracles_least_cases() {
    for Case { name, log, expected } in least_cases() {
        let mut world = World::of(log);
        let published = world.decide_all();
        assert_eq!(published.iter().map(summary).collect::<Vec<_>>(), expected, "{name}");

        world.record(&published);
        world.session(2);
        world.forget_touches();
        assert_eq!(world.decide_all(), published, "n: {name}");
    }
}

#[test]
fn contributors_are_the_latest_of_any_tier_without_the_winner() {
    let log = [click("c1", DAY), click("c2", 2 * DAY), impression("v1", 5), impression("v2", 6), install()];
    let published = World::of(log).decide_all();
    let decided: Value = serde_json::from_slice(&published[0].payload).unwrap();
    let contributors = decided["attribution"]["contributors"].as_array().unwrap();
    let ids: Vec<&str> = contributors.iter().map(|each| each["touch_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["v1", "v2", "c2"]);
}

/// Rows of attribution that no lettered case covers.
#[test]
fn ties_referrers_and_platforms() {
    let referred = |referrer: &str| activity("install", "i", json!({ "referrer": referrer }));
    let received = |id: &str, at: i64| touch("click", id, 5, json!({ "received_at": INSTALLED + at }));
    let with_ids = |id: &str, device: Value| touch("click", id, 5, json!({ "device": device }));
    let (idfa, both) = (
        "6d92078a-8246-4ba4-ae5b-76104861e7dc",
        json!({ "idfa": "6D92078A-8246-4BA4-AE5B-76104861E7DC", "oaid": "device" }),
    );
    let on = |kind: &str, platform: &str| touch(kind, "c", 5, json!({ "platform": platform }));
    let android = activity("install", "i", json!({ "platform": "android" }));
    for (name, log, expected) in [
        ("the latest click", vec![click("a", 2), click("b", 1), install()], "i: b +1"),
        (
            "the id order",
            vec![
                with_ids("a", json!({ "idfa": idfa })),
                with_ids("b", json!({ "oaid": "device" })),
                activity("install", "i", json!({ "device": both })),
            ],
            "i: a +1",
        ),
        ("the greatest time of receipt", vec![received("a", 2), received("b", 1), install()], "i: a +1"),
        ("the greatest touch id", vec![received("a", 1), received("b", 1), install()], "i: b +1"),
        ("a touch that is there twice", vec![click("a", 1), click("a", 1), install()], "i: a"),
        ("another platform", vec![on("click", "ios"), android.clone()], "i: organic (other_platform)"),
        ("the same platform", vec![on("click", "android"), android.clone()], "i: c"),
        ("an unknown platform", vec![click("c", 5), android], "i: c"),
        ("a click after the install", vec![click("c", -1), install()], "i: organic (touch_after_install)"),
        (
            "a touch id in the referrer",
            vec![touch("click", "t", 5, json!({ "device": {} })), referred("touch_id=t&pid=acme")],
            "i: t",
        ),
        (
            "an impression is in no referrer",
            vec![touch("impression", "t", 5, json!({ "device": {} })), referred("touch_id=t")],
            "i: organic",
        ),
        ("a referrer alone", vec![referred("touch_id=t&media_source=acme")], "i: t (referrer_only)"),
        ("a source alone", vec![referred("media_source=acme")], "i: i (referrer_only)"),
        (
            "a click id of another network",
            vec![touch("click", "t", 5, json!({ "device": {}, "click_id": "1" })), referred("click_id=1&pid=other")],
            "i: i (referrer_only)",
        ),
        (
            "a stored click too old for its referrer",
            vec![touch("click", "t", 8 * DAY, json!({})), referred("touch_id=t&pid=acme")],
            "i: organic (outside_window)",
        ),
        ("an organic referrer", vec![referred("utm_source=google-play&utm_medium=organic")], "i: organic"),
    ] {
        let published = World::of(log).decide_all();
        assert_eq!(published.iter().map(summary).collect::<Vec<_>>(), [expected], "{name}");
    }
}
