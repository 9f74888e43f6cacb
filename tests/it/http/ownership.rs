//! The ownership document and hot spots over HTTP (seed 002).

use coord_tests::raw::{Answer, Ask};
use coord_tests::server::{TestServer, on_each_face};
use serde_json::json;

const DOCUMENT: &str = "# who owns what
modules:
  auth:
    paths: [\"src/auth/**\", src/login.ts]  # all of it
    owners: [amy]
    severity: Hard

shared_files:
  - src/a.ts  # mine

  - \u{e4}.ts
";

fn store(s: &TestServer, text: impl Into<Vec<u8>>) -> Answer {
    s.ask(Ask::new("POST", "/config/ownership").header("Content-Type", "text/plain").body(text))
}

fn promote(s: &TestServer, action: &str, pattern: &str) -> Answer {
    let ask = json!({"action": action, "pattern": pattern, "repo": "o/r", "note": "too: big"});
    s.post("/metrics/hotspots/promote", &ask)
}

#[test]
fn a_document_comes_back_as_it_was() {
    on_each_face(|s| {
        let none = s.get("/config/ownership");
        assert_eq!((none.status, none.body.len()), (204, 0));
        for (text, rules) in [
            (DOCUMENT.to_owned(), 2),
            (DOCUMENT.replace('\n', "\r\n"), 2),
            ("shared_files:\n  - package.json\n".to_owned(), 0),
        ] {
            assert_eq!(store(s, text.as_str()).expect(200), json!({"ok": true, "rules": rules}));
            let back = s.get("/config/ownership");
            assert_eq!((back.status, back.text()), (200, text));
            assert_eq!(back.header("content-type"), Some("text/yaml; charset=utf-8"));
        }
    });
}

#[test]
fn what_is_refused_changes_nothing() {
    on_each_face(|s| {
        store(s, DOCUMENT).expect(200);
        for (text, why) in [
            ("a: [", "Invalid YAML: "),
            ("- a", "Ownership config must be a YAML mapping"),
            ("", "Ownership config must define `modules` or `areas`"),
            ("modules: {}", "Ownership config must define at least one path rule"),
            ("modules: {a: {}}", "`modules.a.paths` must be a non-empty list"),
            (
                "modules: {a: {paths: [b], severity: x}}",
                "`modules.a.severity` must be one of: hard, soft",
            ),
        ] {
            let detail = store(s, text).refused(400);
            assert!(detail.starts_with(why), "{detail}");
        }
        assert!(store(s, vec![b'a', 0xff]).refused(400).contains("UTF-8"));
        let long = format!("{DOCUMENT}# {}", "x".repeat(256 * 1024));
        assert!(store(s, long).refused(400).contains("longer than"));
        assert_eq!(s.get("/config/ownership").text(), DOCUMENT);
    });
}

#[test]
fn promoting_keeps_comments_and_happens_once() {
    on_each_face(|s| {
        let first = promote(s, "shared_file", "package.json").expect(200);
        assert_eq!(
            first,
            json!({"ok": true, "action": "shared_file", "pattern": "package.json", "repo": "o/r",
                "patched_yaml": "shared_files:\n  - package.json\n"})
        );
        store(s, DOCUMENT).expect(200);
        let with_file = format!("{DOCUMENT}  - '**/b.ts'\n");
        for _ in 0..2 {
            let answer = promote(s, "shared_file", "**/b.ts").expect(200);
            assert_eq!(answer["patched_yaml"], json!(with_file));
        }
        let split = promote(s, "split", "src/big.ts").expect(200);
        let text = split["patched_yaml"].as_str().unwrap_or_default().to_owned();
        let added = text.strip_prefix(with_file.as_str()).unwrap_or_default();
        assert!(
            added.starts_with("suggested_splits:\n  - pattern: src/big.ts\n    suggested_at: '2"),
            "{added}"
        );
        assert!(added.ends_with("Z'\n    note: 'too: big'\n"), "{added}");
        assert_eq!(promote(s, "split", "src/big.ts").expect(200)["patched_yaml"], json!(text));
        assert_eq!(s.get("/config/ownership").text(), text);
    });
}

#[test]
fn what_cannot_be_promoted() {
    on_each_face(|s| {
        let path = "/metrics/hotspots/promote";
        assert!(promote(s, "demote", "a").refused(400).contains("'shared_file' or 'split'"));
        promote(s, "split", "../a").refused(400);
        assert_eq!(promote(s, "split", "").status, 422);
        assert_eq!(s.post(path, &json!({"action": "split"})).status, 422);
        let note = "x".repeat(2_001);
        let noted = json!({"action": "split", "pattern": "a", "note": note});
        assert_eq!(s.post(path, &noted).status, 422);
        let aliased = "x: &l [b]\nshared_files: *l\n";
        store(s, aliased).expect(200);
        assert!(promote(s, "shared_file", "a").refused(400).contains("by hand"));
        assert_eq!(s.get("/config/ownership").text(), aliased);
    });
}

#[test]
fn numbers_of_hot_spots_are_bounded() {
    on_each_face(|s| {
        assert_eq!(
            s.get("/metrics/hotspots?days=7&min_attempts=3").expect(200),
            json!({"hotspots": [], "days": 7, "min_attempts": 3, "count": 0})
        );
        assert_eq!(
            s.get("/metrics/auto-resolutions").expect(200),
            json!({"series": [], "days": 30, "count": 0})
        );
        for bad in [
            "hotspots?days=0",
            "hotspots?days=91",
            "hotspots?days=x",
            "hotspots?min_attempts=0",
            "hotspots?limit=201",
            "auto-resolutions?days=91",
        ] {
            assert_eq!(s.get(&format!("/metrics/{bad}")).status, 422, "{bad}");
        }
    });
}

#[test]
fn a_document_replaces_only_the_one_that_was_seen() {
    on_each_face(|s| {
        let set = |was: &str, text: &str| {
            s.ask(Ask::new("POST", &format!("/config/ownership{was}")).body(text))
        };
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        set(&format!("?was={nothing}"), "shared_files: [a]\n").expect(200);
        set(&format!("?was={nothing}"), "shared_files: [b]\n").refused(409);
        set("", "shared_files: [c]\n").expect(200);
    });
}
