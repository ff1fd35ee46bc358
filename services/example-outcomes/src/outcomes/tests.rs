use ledger::Seen;

use super::*;

fn attempt(endpoint: &str, outcome: &str) -> Vec<u8> {
    let record = serde_json::json!({ "delivery_id": "d", "rule": "r", "endpoint": endpoint, "event_id": "e",
        "app_id": "a", "attempt": 1, "outcome": outcome, "latency_ms": 7, "url": "https://example.com/" });
    record.to_string().into_bytes()
}

#[test]
fn attempts_with_the_same_outcome_share_a_counter() {
    let records = [attempt("acme", "delivered"), attempt("acme", "delivered"), attempt("acme", "failed")];
    let mut batch = testkit::batch("postbacks", 0, records.iter().map(Vec::as_slice));
    assert_eq!(count(&mut batch).unwrap().len(), 2);
}

#[test]
fn what_is_no_attempt_is_passed_over() {
    let mut batch = testkit::batch("postbacks", 0, [b"{}".as_slice(), &attempt("acme", "delivered")]);
    assert_eq!(count(&mut batch).unwrap().len(), 1);
}

#[test]
fn the_answer_sums_over_partitions() {
    let seen = |partition, words: &[&str]| Seen {
        partition,
        position: None,
        rebuilding_until: None,
        incomplete_from: None,
        values: vec![Value::Members(words.iter().map(|word| word.as_bytes().to_vec()).collect())],
    };
    let sums = sum(vec![seen(0, &["delivered acme", "3"]), seen(1, &["delivered acme", "4", "failed b", "1"])]);
    assert_eq!(serde_json::json!(sums), serde_json::json!({ "acme": { "delivered": 7 }, "b": { "failed": 1 } }));
}
