use super::*;

const APPS: &str = r#"
[[app]]
id = "com.example.game"
keys = [
    { id = "sdk", sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", scopes = ["sdk"] },
]
[[app]]
id = "id123"
"#;

fn headers(values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect()
}

#[test]
fn row_65_only_one_well_formed_known_key_opens_the_door() {
    let apps = Apps::parse(APPS).unwrap();
    for (values, expected) in [
        (&["Bearer secret"][..], "ok"),
        (&["bearer secret"], "ok"),
        (&[], "auth_missing"),
        (&["secret"], "auth_malformed"),
        (&["Basic secret"], "auth_malformed"),
        (&["Bearer "], "auth_malformed"),
        (&["Bearer  secret"], "auth_malformed"),
        (&["Bearer secret "], "auth_malformed"),
        (&["Bearer secret", "Bearer secret"], "auth_malformed"),
        (&["Bearer other"], "auth_unknown"),
    ] {
        let code = identify(&apps, &headers(values)).map_or_else(|rejection| rejection.code, |_| "ok");
        assert_eq!(code, expected, "{values:?}");
    }
}

#[test]
fn row_66_a_key_in_the_address_is_refused() {
    for (uri, expected) in [
        ("/v1/events", "ok"),
        ("/v1/events?trace=1", "ok"),
        ("/v1/events?API_KEY=secret", "auth_in_query"),
        ("/v1/events?a=1&token=secret", "auth_in_query"),
    ] {
        let code = refuse_key_in_query(&uri.parse().unwrap()).map_or_else(|rejection| rejection.code, |()| "ok");
        assert_eq!(code, expected, "{uri}");
    }
}

#[test]
fn rows_29_to_31_a_key_speaks_for_its_app_and_its_kinds() {
    let apps = Apps::parse(APPS).unwrap();
    let grant = |scopes: &[Scope]| Grant { key: "k".into(), app: "com.example.game".into(), scopes: scopes.to_vec() };
    let sdk = Caller::Holder(vec![grant(&[Scope::Sdk])]);
    let both = Caller::Holder(vec![grant(&[Scope::Sdk, Scope::S2s])]);
    for (row, caller, app, kind, stated, expected) in [
        (0, &sdk, "com.example.game", Kind::Install, None, Ok(Source::Sdk)),
        (0, &both, "com.example.game", Kind::Install, None, Ok(Source::Sdk)),
        (0, &both, "com.example.game", Kind::Install, Some(Scope::S2s), Ok(Source::S2s)),
        (0, &both, "com.example.game", Kind::Click, None, Ok(Source::S2s)),
        (0, &Caller::Anyone, "any.app", Kind::Click, None, Ok(Source::Sdk)),
        (0, &Caller::Link, "any.app", Kind::Click, None, Ok(Source::Link)),
        (29, &sdk, "com.example.other", Kind::Install, None, Err("app_unknown")),
        (29, &sdk, "123", Kind::Install, None, Err("app_unknown")),
        (29, &Caller::Anyone, "123", Kind::Install, None, Err("app_unknown")),
        (29, &Caller::Link, "123", Kind::Click, None, Err("app_unknown")),
        (30, &sdk, "id123", Kind::Install, None, Err("app_forbidden")),
        (31, &sdk, "com.example.game", Kind::Click, None, Err("kind_forbidden")),
        (31, &both, "com.example.game", Kind::Click, Some(Scope::Sdk), Err("kind_forbidden")),
        (31, &sdk, "com.example.game", Kind::Install, Some(Scope::S2s), Err("source_forbidden")),
    ] {
        let answer = caller.admit(&apps, app, kind, stated).map_err(|rejection| rejection.code);
        assert_eq!(answer, expected, "row {row}: {app} {kind:?} {stated:?}");
    }
    let hint = sdk.admit(&apps, "123", Kind::Install, None).unwrap_err().message;
    assert!(hint.contains("did you mean id123"), "{hint}");
}
