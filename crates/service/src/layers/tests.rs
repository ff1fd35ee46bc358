use serde::Deserialize;

use super::*;

#[derive(Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Sample {
    kafka: Kafka,
    open: bool,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Kafka {
    brokers: String,
    group: Option<String>,
    records: usize,
    networks: Vec<String>,
}

impl Default for Kafka {
    fn default() -> Self {
        Self { brokers: "here:1".into(), group: None, records: 5, networks: Vec::new() }
    }
}

fn layers() -> Layers {
    Layers::of_defaults(&Sample::default()).unwrap()
}

fn environment(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>().into_iter()
}

#[test]
fn a_later_layer_wins_and_is_named_as_the_origin() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.toml");
    std::fs::write(&file, "[kafka]\nbrokers = \"file:1\"\nrecords = 6\n").unwrap();
    let mut layers = layers();
    layers.add_file(Some(&file), Path::new("/nonexistent")).unwrap();
    layers
        .add_environment(environment(&[
            ("ATTRIBUTARY__KAFKA__RECORDS", "7"),
            ("ATTRIBUTARY__KAFKA__GROUP", "42"),
            ("ATTRIBUTARY__KAFKA__NETWORKS", "[\"127.0.0.0/8\"]"),
            ("OTHER", "x"),
        ]))
        .unwrap();
    layers.set("open", "true", "--set").unwrap();
    let sample: Sample = layers.rest().unwrap();
    let kafka =
        Kafka { brokers: "file:1".into(), group: Some("42".into()), records: 7, networks: vec!["127.0.0.0/8".into()] };
    assert_eq!(sample, Sample { kafka, open: true });
    let origin = |key: &str| layers.leaves().into_iter().find(|leaf| leaf.0 == key).unwrap().2;
    assert_eq!(origin("kafka.brokers"), file.display().to_string());
    assert_eq!(origin("kafka.records"), "ATTRIBUTARY__KAFKA__RECORDS");
    assert_eq!(origin("open"), "--set");
}

#[test]
fn a_wrong_key_or_value_is_named_with_its_origin() {
    for (name, value, expected) in [
        ("ATTRIBUTARY__KAFKA__BROKER", "x", "kafka.broker (set by ATTRIBUTARY__KAFKA__BROKER)"),
        ("ATTRIBUTARY__KAFKA__RECORDS", "many", "kafka.records (set by ATTRIBUTARY__KAFKA__RECORDS)"),
        ("ATTRIBUTARY__NOSUCH", "x", "nosuch (set by ATTRIBUTARY__NOSUCH)"),
    ] {
        let mut layers = layers();
        layers.add_environment(environment(&[(name, value)])).unwrap();
        let error = layers.rest::<Sample>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_secret_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("brokers");
    std::fs::write(&secret, "secret:1\n").unwrap();
    let mut layers = layers();
    layers.add_environment(environment(&[("ATTRIBUTARY__KAFKA__BROKERS_FILE", secret.to_str().unwrap())])).unwrap();
    assert_eq!(layers.rest::<Sample>().unwrap().kafka.brokers, "secret:1");
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let missing = Path::new("/nonexistent/sample.toml");
    assert!(layers().add_file(Some(missing), missing).unwrap_err().to_string().contains("/nonexistent/sample.toml"));
    layers().add_file(None, missing).unwrap();
}

#[test]
fn what_is_set_for_another_service_is_passed_over() {
    let mut layers = layers();
    layers.add_environment(environment(&[("ATTRIBUTARY__REDIS__URL", "redis://elsewhere")])).unwrap();
    assert_eq!(layers.rest::<Sample>().unwrap(), Sample::default());
}
