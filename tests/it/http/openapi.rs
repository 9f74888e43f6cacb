//! The description of the routes, held against the routes.

use std::collections::BTreeSet;

use coord_server::api::{DESCRIPTION, routes};
use coord_tests::raw::Ask;
use coord_tests::server::{Setup, faces, on_each_face};
use serde_json::Value;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Value {
    serde_json::from_str(DESCRIPTION).expect("the description is JSON")
}

/// Method, path and description of each operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(METHODS.contains(&method.as_str()), "{path}: {method}");
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

/// The path with `with` in the place of each variable, and the variables' names.
fn filled(path: &str, with: &str) -> (String, Vec<String>) {
    let mut names = Vec::new();
    let parts = path.split('/').map(|part| {
        let name = part.strip_prefix('{').and_then(|p| p.strip_suffix('}'));
        names.extend(name.map(str::to_owned));
        if name.is_some() { with } else { part }
    });
    let path = parts.collect::<Vec<_>>().join("/");
    (path, names)
}

#[test]
fn each_route_is_described_and_nothing_else() {
    let described: BTreeSet<(String, String)> =
        operations(&document()).into_iter().map(|(method, path, _)| (method, path)).collect();
    let there: BTreeSet<(String, String)> =
        routes().iter().map(|r| (r.method.to_owned(), r.path.to_owned())).collect();
    let missing: Vec<_> = there.difference(&described).collect();
    let invented: Vec<_> = described.difference(&there).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "not described: {missing:?}; not there: {invented:?}"
    );
}

#[test]
fn each_description_is_whole() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{what}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{what}: no success");
        assert!(answers.contains_key("default"), "{what}: no error");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let of_path = parameters.iter().filter(|p| p["in"] == "path" && p["required"] == true);
        let named: Vec<String> =
            of_path.filter_map(|p| p["name"].as_str().map(str::to_owned)).collect();
        assert_eq!(named, filled(&path, "").1, "{what}");
    }
    for reference in references(&document) {
        let pointer = reference.strip_prefix('#').expect("nothing outside the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(o) => {
            let own = o.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(o.values().flat_map(references)).collect()
        }
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn it_is_served() {
    on_each_face(|s| {
        let answer = s.get("/openapi.json");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.expect(200), document());
    });
}

/// What the description calls open is open, and nothing else.
#[test]
fn what_needs_a_token() {
    let document = document();
    for face in faces() {
        let setup = Setup::new(face).env("COORD_ALLOW_INSECURE_NO_AUTH", "");
        let s = setup.env("COORD_AUTH_TOKEN", "s3cret-t0ken").start();
        for (method, path, operation) in operations(&document) {
            let described_open = operation["security"] == serde_json::json!([]);
            let answer = s.ask(Ask::new(&method, &filled(&path, "x").0));
            let is_open = answer.status != 401;
            assert_eq!(described_open, is_open, "{method} {path}: {}", answer.status);
        }
    }
}
