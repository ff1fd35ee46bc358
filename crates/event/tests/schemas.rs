//! The JSON Schemas in `schema/` are made from the types. `UPDATE_SCHEMAS=1 cargo test -p event` writes them anew.

use std::path::Path;

#[test]
fn the_schemas_agree_with_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    for (name, schema) in [
        ("activity", schemars::schema_for!(event::Activity)),
        ("installs", schemars::schema_for!(event::Decided)),
        ("events", schemars::schema_for!(event::Decided)),
        ("postbacks", schemars::schema_for!(event::Attempt)),
    ] {
        let path = folder.join(format!("{name}.schema.json"));
        let current = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, current, "{} is stale: UPDATE_SCHEMAS=1 cargo test -p event", path.display());
    }
}
