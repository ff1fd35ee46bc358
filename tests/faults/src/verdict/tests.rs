//! The verdict must be able to fail: each kind of damage is found.

use serde_json::json;

use super::*;

fn record(offset: i64, value: Value) -> Record {
    Record { place: (0, offset), value: Some(value), headers: BTreeMap::new() }
}

/// One click, one install of acme, told to acme.
fn whole() -> (Truth, Logs, Vec<Hit>) {
    let mut truth = Truth::default();
    let click = json!({ "kind": "click", "event_id": "c", "media_source": "acme", "event_time": 1 });
    let install = json!({ "kind": "install", "event_id": "i", "install_id": "i", "event_time": 1 });
    truth.note(&[click.clone(), install.clone()], Fate::Stored);
    truth.earned.insert("i".into(), "acme");
    let mut decided = install.clone();
    decided["attribution"] = json!({ "media_source": "acme" });
    let attempt = json!({ "delivery_id": "d", "event_id": "i", "outcome": "delivered" });
    let logs = Logs {
        activity: vec![record(0, click), record(1, install)],
        installs: vec![record(0, decided)],
        events: Vec::new(),
        postbacks: vec![record(0, attempt)],
        dead: [topic::ACTIVITY, topic::INSTALLS, topic::EVENTS].map(|topic| (topic, Vec::new())).into(),
    };
    (truth, logs, vec![hit("d")])
}

fn hit(id: &str) -> Hit {
    Hit {
        path: "acme".into(),
        query: String::new(),
        headers: [("webhook-id".to_owned(), id.to_owned())].into(),
        status: 200,
        at: std::time::SystemTime::UNIX_EPOCH,
    }
}

fn judge(truth: &Truth, logs: &Logs, hits: &[Hit]) -> [usize; 4] {
    let counts = logs.fold();
    let verdict = Verdict::of(truth, logs, &Outside { counts: &counts, hits, deliveries: true });
    [verdict.lost.len(), verdict.double.len(), verdict.wrong.len(), verdict.repeats]
}

#[test]
fn a_whole_suite_has_no_findings() {
    let (truth, logs, hits) = whole();
    assert_eq!(judge(&truth, &logs, &hits), [0, 0, 0, 0]);
}

/// The attempt before this one, which timed out.
fn unanswered(attempt: &Record) -> Record {
    let mut attempt = attempt.clone();
    let fields = attempt.value.as_mut().unwrap();
    (fields["outcome"], fields["class"]) = (json!("retrying"), json!("timeout"));
    attempt
}

/// The attempt before this one, which was busy and may have been a repetition.
fn flagged(attempt: &Record) -> Record {
    let mut attempt = attempt.clone();
    let fields = attempt.value.as_mut().unwrap();
    (fields["outcome"], fields["possibly_repeated"]) = (json!("retrying"), json!(true));
    attempt
}

type Damage = fn(&mut Logs, &mut Vec<Hit>);

/// What is lost, double and wrong, and how much came again.
fn find(damages: &[(&str, Damage, [usize; 4])]) {
    for (name, damage, expected) in damages {
        let (truth, mut logs, mut hits) = whole();
        damage(&mut logs, &mut hits);
        assert_eq!(judge(&truth, &logs, &hits), *expected, "{name}");
    }
}

#[test]
fn each_damage_is_found() {
    find(&[
        ("an acknowledged event is not there", |logs, _| drop(logs.activity.remove(0)), [1, 0, 0, 0]),
        ("an install has no decision", |logs, _| logs.installs.clear(), [1, 0, 0, 0]),
        ("an install is decided twice", |logs, _| logs.installs.push(logs.installs[0].clone()), [0, 1, 0, 0]),
        (
            "an install is somebody else's",
            |logs, _| logs.installs[0].value.as_mut().unwrap()["attribution"]["media_source"] = json!("other"),
            [0, 0, 1, 0],
        ),
        (
            "an event is published that nobody sent",
            |logs, _| logs.events.push(record(0, json!({ "kind": "session", "event_id": "s", "event_time": 1 }))),
            [0, 0, 1, 0],
        ),
        (
            "a record that cannot be read has no letter",
            |logs, _| logs.activity.push(Record { place: (0, 2), value: None, headers: BTreeMap::new() }),
            [2, 0, 0, 0],
        ),
    ]);
}

#[test]
fn each_damage_to_the_deliveries_is_found() {
    find(&[
        ("a delivery is missing", |logs, hits| (logs.postbacks.clear(), hits.clear()).1, [1, 0, 0, 0]),
        ("a success is recorded twice", |logs, _| logs.postbacks.push(logs.postbacks[0].clone()), [0, 1, 0, 0]),
        ("a request came twice", |_, hits| hits.push(hit("d")), [0, 1, 0, 0]),
        (
            "a request came twice and says so",
            |logs, hits| {
                logs.postbacks[0].value.as_mut().unwrap()["possibly_repeated"] = json!(true);
                hits.push(hit("d"));
            },
            [0, 0, 0, 1],
        ),
        (
            "a request came twice, and only the attempt before the last says so",
            |logs, hits| {
                logs.postbacks.insert(0, flagged(&logs.postbacks[0]));
                hits.push(hit("d"));
            },
            [0, 1, 0, 0],
        ),
        (
            "a request came twice, and the first got no answer",
            |logs, hits| (logs.postbacks.insert(0, unanswered(&logs.postbacks[0])), hits.push(hit("d"))).1,
            [0, 0, 0, 0],
        ),
        (
            "a request came three times, and one got no answer",
            |logs, hits| {
                (logs.postbacks.insert(0, unanswered(&logs.postbacks[0])), hits.extend([hit("d"), hit("d")])).1
            },
            [0, 1, 0, 0],
        ),
    ]);
}

#[test]
fn what_reports_says_is_held_to_the_log() {
    let (truth, logs, hits) = whole();
    let counts = BTreeMap::from([(("installs", "acme".to_owned()), 2), (("clicks", "acme".to_owned()), 1)]);
    let verdict = Verdict::of(&truth, &logs, &Outside { counts: &counts, hits: &hits, deliveries: true });
    assert_eq!(verdict.wrong, ["installs of acme: reports says 2, the log holds 1"]);
}

#[test]
fn no_more_came_again_than_was_in_flight() {
    let mut verdict = Verdict { repeats: 3, ..Verdict::default() };
    verdict.judge_repeats(3);
    assert!(verdict.is_clean(), "they were in flight");
    verdict.judge_repeats(2);
    assert_eq!(verdict.double.len(), 1);
}
