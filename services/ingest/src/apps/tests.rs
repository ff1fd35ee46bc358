use super::*;

const SHA256_OF_SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

fn file(app: &str) -> String {
    format!("[[app]]\nid = \"com.example.game\"\n{app}")
}

#[test]
fn a_key_grants_what_the_file_says() {
    let keys = format!("keys = [{{ id = \"k1\", sha256 = \"{SHA256_OF_SECRET}\", scopes = [\"sdk\"] }}]");
    let apps = Apps::parse(&file(&keys)).unwrap();
    let expected = Grant { key: "k1".into(), app: "com.example.game".into(), scopes: vec![Scope::Sdk] };
    assert_eq!(apps.grants("secret"), [expected]);
    assert_eq!(apps.grants("secret "), []);
    assert_eq!(apps.grants(""), []);
}

#[test]
fn what_attribution_reads_in_the_same_file_is_left_alone() {
    Apps::parse(&file("windows = { click = \"7d\" }\nprobabilistic = true\n")).unwrap();
}

#[test]
fn a_bad_file_says_what_is_wrong() {
    for (app, expected) in [
        ("store_ulr = \"https://x\"", "store_ulr"),
        ("store_url = \"ftp://x\"", "store_url"),
        ("currency = \"dollars\"", "currency_unknown"),
        ("keys = [{ id = \"k1\", sha256 = \"ab\", scopes = [\"sdk\"] }]", "k1"),
        ("keys = [{ id = \"k1\", sha256 = \"ab\", scopes = [\"admin\"] }]", "admin"),
        ("[[app]]\nid = \"com.example.game\"", "twice"),
        ("[[app]]\nid = \"no spaces\"", "app_id"),
    ] {
        let error = format!("{:#}", Apps::parse(&file(app)).unwrap_err());
        assert!(error.contains(expected), "{app}: {error}");
    }
}

#[test]
fn a_bad_file_never_replaces_a_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apps.toml");
    std::fs::write(&path, file("currency = \"USD\"")).unwrap();
    let mut watch = AppsWatch::open(&path).unwrap();
    let current = watch.subscribe();
    let currency = || current.borrow().app("com.example.game").unwrap().currency.unwrap().as_str();

    watch.look(Ok(file("currency = \"EUR\"").into_bytes()));
    assert_eq!(currency(), "EUR");
    watch.look(Ok(b"[[app]".to_vec()));
    watch.look(Ok(vec![0xff]));
    watch.look(Err(std::io::ErrorKind::NotFound.into()));
    assert_eq!(currency(), "EUR");
    watch.look(Ok(file("currency = \"CHF\"").into_bytes()));
    assert_eq!(currency(), "CHF");
}

#[tokio::test]
async fn a_changed_file_is_taken_while_the_service_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apps.toml");
    let watch = AppsWatch::empty(&path);
    let mut current = watch.subscribe();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(watch.run(shutdown.clone()));
    std::fs::write(&path, file("")).unwrap();
    let appeared = current.wait_for(|apps| apps.app("com.example.game").is_some());
    assert!(tokio::time::timeout(Duration::from_secs(10), appeared).await.unwrap().is_ok());
    shutdown.cancel();
    task.await.unwrap().unwrap();
}
