//! What holds for every value, however hostile.

use event::Refusal;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::guard::Guard;

fn url(template: &str) -> Result<UrlTemplate, Refusal> {
    UrlTemplate::parse(template, WhenEmpty::Keep, &Guard::default())
}

fn values(event: &Value) -> Values<'_> {
    Values { event, delivery_id: "d-1", attempt: 1 }
}

proptest! {
    #[test]
    fn no_value_changes_where_a_request_goes(value in any::<String>(), hostile in "[./\\\\@:#?%&={}|\r\n\t a-f0-9\u{ff0f}\u{3002}]{0,40}") {
        for value in [value, hostile] {
            let event = json!({ "city": value, "attribution": { "params": { "k": value } } });
            for template in [
                "https://h.example/{city}/b?x={city}&{city}=1",
                "https://h.example/{city|raw}?x={city|raw}&y={click.k|raw}",
                "https://h.example?{click.k|raw}",
                "https://h.example:8443/a{city|lower}.b/{city|json}",
            ] {
                let template = url(template).unwrap();
                let Ok(rendered) = template.render(&values(&event)) else { continue };
                prop_assert_eq!(rendered.scheme(), "https");
                prop_assert_eq!(rendered.host_str(), Some("h.example"));
                prop_assert!(matches!(rendered.port(), None | Some(8443)));
                prop_assert_eq!((rendered.username(), rendered.password(), rendered.fragment()), ("", None, None));
            }
        }
    }

    #[test]
    fn an_encoded_value_stays_in_its_segment_and_its_parameter(value in any::<String>()) {
        let event = json!({ "city": value });
        let template = url("https://h.example/before/{city}/after?first={city}&last=1").unwrap();
        if let Ok(rendered) = template.render(&values(&event)) {
            let segments: Vec<_> = rendered.path_segments().unwrap().collect();
            prop_assert_eq!((segments.len(), segments[0], segments[2]), (3, "before", "after"));
            let pairs: Vec<_> = rendered.query_pairs().collect();
            prop_assert_eq!(pairs.len(), 2);
            prop_assert_eq!(&pairs[0].1, value.as_str());
        }
    }

    #[test]
    fn a_json_body_is_json_whatever_the_value(value in any::<String>()) {
        let event = json!({ "city": value });
        let body = Body::parse(r#"{"a":{city},"b":"x{city}y"}"#, "application/json").unwrap();
        let parsed: Value = serde_json::from_str(&body.render(&values(&event)).unwrap()).unwrap();
        prop_assert_eq!(&parsed["a"], &json!(value));
        prop_assert_eq!(&parsed["b"], &json!(format!("x{value}y")));
    }
}
