//! What a browser and a network see of a link.

use super::http::exchange;
use super::{Access, Broker, Rig};
use crate::links::PIXEL;

#[tokio::test]
async fn a_click_goes_to_the_store_with_itself_as_the_referrer() {
    let rig = Rig::open(Broker::Mock, Access::Keys).await;
    let answer = rig.get("/v1/click/com.example.game?pid=adnet&c=spring&clickid=c1&foo=bar").await;
    assert_eq!(answer.status, 302, "{answer:?}");
    let url = url::Url::parse(answer.header("location").unwrap()).unwrap();
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    assert_eq!((url.host_str(), pairs[0].1.as_str()), (Some("play.google.com"), "com.example.game"));
    let referrer = url::form_urlencoded::parse(pairs[1].1.as_bytes()).into_owned().collect::<Vec<_>>();
    let named: Vec<_> = referrer.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((pairs[1].0.as_str(), named), ("referrer", vec!["touch_id", "media_source", "click_id", "campaign"]));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_click_without_a_store_says_what_it_was() {
    let rig = Rig::open(Broker::Mock, Access::Keys).await;
    // The first record waits for the mock broker to make the topic, longer than a browser may be kept waiting.
    rig.get("/v1/impression/id123?pid=adnet").await;
    rig.doors.touches.close();
    rig.doors.touches.wait().await;
    for path in ["/v1/click/id123?pid=adnet&idfa={idfa}", "/v1/click/com.example.game?pid=adnet&redirect=0&idfa={idfa}"]
    {
        let answer = rig.get(path).await;
        assert_eq!((answer.status, &answer.json["status"]), (200, &"stored".into()), "{answer:?}");
        assert_eq!(answer.json["warnings"][0]["field"], "device.idfa");
        assert!(answer.json["touch_id"].is_string() && answer.json["event_id"].is_string());
    }
}

#[tokio::test]
async fn an_impression_is_a_pixel() {
    let rig = Rig::open(Broker::Mock, Access::Keys).await;
    let answer = rig.get("/v1/impression/com.example.game?pid=adnet").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/gif")));
    assert_eq!(answer.body, PIXEL);
}

#[tokio::test]
async fn rows_29_45_and_47_a_link_that_cannot_count_says_why() {
    let rig = Rig::open(Broker::Mock, Access::Keys).await;
    let (long, many) = ("a=1&".repeat(10_000), "a=1&".repeat(101));
    for (path, status, code) in [
        ("/v1/click/com.example.other?pid=adnet", 404, "app_unknown"),
        ("/v1/click/123?pid=adnet", 404, "app_unknown"),
        ("/v1/click/com.example.game", 422, "field_missing"),
        ("/v1/click/com.example.game?pid=organic", 422, "media_source_reserved"),
        ("/v1/click/com.example.game?pid=adnet&redirect=//evil.example", 400, "redirect_not_allowed"),
        ("/v1/click/com.example.game?pid=adnet&c=%ZZ", 400, "bad_percent"),
        ("/v1/click/%FF?pid=adnet", 400, "path_format"),
        (&format!("/v1/impression/com.example.game?{long}"), 414, "query_too_long"),
        (&format!("/v1/impression/com.example.game?{many}"), 414, "query_too_long"),
    ] {
        let answer = rig.get(path).await;
        let path = &path[..path.len().min(80)];
        assert_eq!((answer.status, answer.json["error"]["code"].as_str()), (status, Some(code)), "{path} {answer:?}");
    }
    let hint = rig.get("/v1/click/123?pid=adnet").await.json["error"]["message"].to_string();
    assert!(hint.contains("id123"), "{hint}");
}

#[tokio::test]
async fn a_preview_is_redirected_and_not_counted() {
    let rig = Rig::open(Broker::Gone, Access::Keys).await;
    let head = b"HEAD /v1/click/com.example.game?pid=adnet HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = exchange(rig.address, head).await;
    assert_eq!(answer.status, 302, "{answer:?}");
    assert_eq!(rig.doors.touches.len(), 0);
}
