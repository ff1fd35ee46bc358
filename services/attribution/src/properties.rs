//! Any order, any repetition: the same decision.

use event::Activity;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{DAY, World, activity, touch};
use crate::{History, Rules, Touch, decide};

const AGES: [i64; 9] = [-1, 0, 1, 60_000, DAY - 1, DAY, 7 * DAY, 7 * DAY + 1, 31 * DAY];
const DEVICES: [&str; 4] =
    [r#"{}"#, r#"{"oaid":"device"}"#, r#"{"oaid":"device","android_id":"a1"}"#, r#"{"android_id":"a1"}"#];

/// Touches from small ranges, so that every tie happens: also the same touch id or event id in different touches.
fn any_touch() -> impl Strategy<Value = String> {
    let names = (0..6_u8, prop::option::of(0..4_u8), prop::option::of(0..2_u8));
    let values = (0..AGES.len(), 0..DEVICES.len(), prop::option::of(0..3_i64), any::<bool>());
    (names, values).prop_map(|((event_id, touch_id, click_id), (age, device, received_at, is_click))| {
        let device: Value = serde_json::from_str(DEVICES[device]).unwrap();
        let more = json!({
            "device": device,
            "touch_id": touch_id.map(|id| format!("t{id}")),
            "click_id": click_id.map(|id| format!("k{id}")),
            "received_at": received_at.map(|at| crate::world::INSTALLED + at),
            "campaign": format!("{event_id}{touch_id:?}"),
        });
        touch(if is_click { "click" } else { "impression" }, &format!("e{event_id}"), AGES[age], more)
    })
}

fn any_install() -> impl Strategy<Value = String> {
    let referrer = prop::sample::select(vec![
        "",
        "touch_id=t1",
        "click_id=k1",
        "click_id=k0&pid=acme",
        "pid=other",
        "touch_id=t9&pid=acme",
    ]);
    (referrer, 0..DEVICES.len()).prop_map(|(referrer, device)| {
        let device: Value = serde_json::from_str(DEVICES[device]).unwrap();
        activity("install", "i", json!({ "referrer": referrer, "device": device, "install_id": "install" }))
    })
}

/// Some touches, and the same ones in another order with repetitions.
fn touches_twice() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    prop::collection::vec(any_touch(), 0..10)
        .prop_flat_map(|touches| {
            let repeated =
                prop::collection::vec(prop::sample::select([touches.clone(), vec![String::new()]].concat()), 0..6);
            (Just(touches.clone()), repeated.prop_map(move |more| [touches.clone(), more].concat()).prop_shuffle())
        })
        .prop_map(|(once, mut again)| {
            again.retain(|touch| !touch.is_empty());
            (once, again)
        })
}

proptest! {
    #[test]
    fn the_decision_does_not_depend_on_order_or_repetition((once, again) in touches_twice(), install in any_install()) {
        let rules = Rules::default();
        let install: Activity = serde_json::from_str(&install).unwrap();
        let decision = |records: &[String]| {
            let activities: Vec<Activity> = records.iter().map(|record| serde_json::from_str(record).unwrap()).collect();
            let touches: Vec<Touch> = activities.iter().map(|activity| Touch::of(activity, &rules).unwrap()).collect();
            serde_json::to_string(&decide(&install, &touches, &History::default(), &rules).attribution).unwrap()
        };
        prop_assert_eq!(decision(&once), decision(&again));
    }

    #[test]
    fn the_published_decision_does_not_depend_on_the_log(
        (once, again) in touches_twice(),
        install in any_install(),
        (place, batch) in (0..10_usize, 1..5_usize),
    ) {
        let mut in_order = once;
        in_order.push(install.clone());
        let mut disturbed = again;
        disturbed.insert(place.min(disturbed.len()), install.clone());
        disturbed.push(install);

        let expected = World::of(in_order).decide_all();
        let length = disturbed.len();
        let mut world = World::of(disturbed);
        let mut published = Vec::new();
        for start in (0..length).step_by(batch) {
            published.extend(world.decide(start..length.min(start + batch)));
        }
        let payloads = |records: &[stream::Outgoing]| records.iter().map(|record| record.payload.clone()).collect::<Vec<_>>();
        prop_assert_eq!(payloads(&published), payloads(&expected));
    }
}
