//! The forms on the wire that clients rely on.

use std::thread;
use std::time::Duration;

use coord_tests::raw::{Answer, Ask, Conn};
use coord_tests::server::eventually;
use serde_json::{Value, json};

use super::judged::{Judged, claim_of, keys, on_each, rows, text, with_token};

const TEST: &str = "peer::wire";
/// Longest wait for something that needs no time.
const SOON: Duration = Duration::from_secs(10);
const ANSWER: [&str; 4] = ["claim_ids", "conflicts", "options", "warnings"];
const CLAIM: [&str; 17] = [
    "branch",
    "claim_type",
    "coexists_with",
    "created_at",
    "description",
    "engineer",
    "expires_at",
    "id",
    "last_activity",
    "narrowable",
    "pattern",
    "released_at",
    "repo",
    "scope_type",
    "session_id",
    "severity",
    "ttl_shortened",
];
const CONFLICT: [&str; 5] =
    ["conflicting_claim", "overlap", "symbol_overlap", "your_pattern", "your_symbols"];
const HOLDER: [&str; 8] =
    ["description", "engineer", "expires_at", "id", "pattern", "scope_type", "severity", "symbols"];

/// All that looks like a time must be one of UTC in whole seconds.
fn assert_times(value: &Value, seen: &mut usize) {
    match value {
        Value::Object(o) => {
            for (name, value) in o {
                if (name.ends_with("_at")
                    || matches!(name.as_str(), "last_activity" | "last_attempt"))
                    && !value.is_null()
                {
                    *seen += 1;
                    let time = text(value);
                    let pattern: String =
                        time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
                    assert_eq!(pattern, "0000-00-00T00:00:00Z", "{name}: {time}");
                }
                assert_times(value, seen);
            }
        }
        Value::Array(list) => list.iter().for_each(|v| assert_times(v, seen)),
        _ => {}
    }
}

/// A refusal of `POST /claims`: the claim answer with what can be done.
#[track_caller]
fn refused(answer: &Answer, status: u16, options: &[&str]) -> Value {
    let body = answer.expect(status);
    assert_eq!(keys(&body), ANSWER, "{body}");
    assert_eq!((&body["claim_ids"], &body["options"]), (&json!([]), &json!(options)), "{body}");
    body
}

#[test]
fn the_four_keys() {
    on_each(TEST, |s| {
        let answer = s.claim("alice", "src/x.ts");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let body = answer.expect(200);
        assert_eq!(keys(&body), ANSWER);
        assert_eq!(rows(&body, "claim_ids").len(), 1);
        for name in ["conflicts", "warnings", "options"] {
            assert_eq!(body[name], json!([]), "{body}");
        }
        let body = refused(
            &s.claim("bob", "src/x.ts"),
            409,
            &["wait", "narrow_claim", "escalate", "override"],
        );
        assert_eq!(body["warnings"], json!([]));
        let conflict = &rows(&body, "conflicts")[0];
        assert_eq!(keys(conflict), CONFLICT);
        assert_eq!(keys(&conflict["conflicting_claim"]), HOLDER);
        assert_eq!(conflict["conflicting_claim"]["severity"], "soft");
        for name in ["your_symbols", "symbol_overlap"] {
            assert_eq!(conflict[name], Value::Null);
        }
        for pattern in ["", " \t", "!x"] {
            let body = refused(&s.claim("bob", pattern), 400, &["narrow_claim"]);
            assert_eq!((rows(&body, "warnings").len(), &body["conflicts"]), (1, &json!([])));
        }
        let none = s.post("/claims", &json!({"engineer": "bob", "claims": []}));
        refused(&none, 400, &["narrow_claim", "escalate"]);
        // What is not known is ignored, also in the items.
        let claims = json!([{"type": "file", "pattern": "y.ts", "colour": "red"}]);
        let more = json!({"engineer": "bob", "claims": claims, "mood": 1, "ttl_hours": "3"});
        s.post("/claims?colour=red", &more).expect(200);
    });
}

#[test]
fn claim_rows() {
    on_each(TEST, |s| {
        let claims = json!([{"type": "file", "pattern": "src/x.ts"},
            {"type": "module", "pattern": "lib/"}, {"type": "shared_file", "pattern": "p.json"}]);
        let wish = json!({"engineer": "alice", "repo": "o/r", "session_id": "s1", "branch": "b1",
            "description": "d", "ttl_hours": 6, "claims": claims});
        let ids = rows(&s.post("/claims", &wish).expect(200), "claim_ids");
        let listed = rows(&s.get("/claims?repo=o/r").expect(200), "claims");
        assert_eq!(listed.len(), 3);
        for (id, kind, narrowable) in
            [(&ids[0], "file", 1), (&ids[1], "module", 0), (&ids[2], "shared_file", 0)]
        {
            let row = listed.iter().find(|c| c["id"] == *id).expect("listed");
            assert_eq!(keys(row), CLAIM);
            assert_eq!(
                (&row["claim_type"], &row["narrowable"]),
                (&json!(kind), &json!(narrowable))
            );
            assert_eq!((&row["repo"], &row["session_id"]), (&json!("o/r"), &json!("s1")));
            assert_eq!((&row["ttl_shortened"], &row["scope_type"]), (&json!(0), &json!("file")));
            assert_eq!((&row["released_at"], &row["coexists_with"]), (&Value::Null, &Value::Null));
            assert_eq!(row["last_activity"], row["created_at"]);
        }
        assert_eq!(rows(&s.get("/claims?repo=o/other").expect(200), "claims"), [Value::Null; 0]);
        // Without a session there is no sign of life.
        let claims = json!([{"type": "file", "pattern": "z.ts"}]);
        s.post("/claims", &json!({"engineer": "bob", "claims": claims})).expect(200);
        let row = &s.claims_of("bob")[0];
        assert_eq!((&row["session_id"], &row["last_activity"]), (&Value::Null, &Value::Null));
        assert_eq!((&row["repo"], &row["branch"]), (&Value::Null, &Value::Null));
    });
}

#[test]
fn times_are_whole_seconds_of_utc() {
    on_each(TEST, |s| {
        let held = s.claimed("alice", "src/x.ts");
        let refused = s.claim("bob", "src/x.ts").expect(409);
        let ask = json!({"claim_id": held, "requester": "bob", "wait_seconds": 0});
        let request = s.post("/requests", &ask).expect(200);
        let id = text(&request["id"]);
        s.post(
            "/claims",
            &json!({"engineer": "c", "repo": "o/r",
            "claims": [{"type": "file", "pattern": "src/x.ts"}]}),
        )
        .expect(200);
        let mut seen = 0;
        for value in [refused, request] {
            assert_times(&value, &mut seen);
        }
        for target in [
            "/claims",
            "/conflicts?pattern=src/x.ts&engineer=bob",
            "/sessions/s-alice/pending_requests",
            &format!("/requests/{id}"),
            &format!("/requests/{id}/events"),
            "/requests",
            "/repos",
            "/metrics/hotspots?min_attempts=1",
        ] {
            let before = seen;
            assert_times(&s.get(target).expect(200), &mut seen);
            assert!(seen > before, "no time in {target}");
        }
    });
}

#[test]
fn zero_counts_instead_of_404() {
    on_each(TEST, |s| {
        let held = s.claimed("alice", "src/x.ts");
        let none = json!({"released": 0});
        assert_eq!(s.delete("/claims/nope?engineer=alice").expect(200), none);
        assert_eq!(s.delete(&format!("/claims/{held}?engineer=bob")).expect(200), none);
        let ids = json!({"claim_ids": ["nope", held], "engineer": "bob"});
        assert_eq!(s.post("/claims/release", &ids).expect(200), none);
        assert_eq!(s.post("/claims/release", &json!({"claim_ids": []})).expect(200), none);
        assert_eq!(s.ask(Ask::new("POST", "/sessions/nobody/release")).expect(200), none);
        let pending = json!({"pending": [], "count": 0});
        assert_eq!(s.get("/sessions/nobody/pending_requests").expect(200), pending);
        let unknown = json!({"ok": true, "cancelled": false, "queue_id": "nope"});
        assert_eq!(s.delete("/requests/nope?engineer=bob").expect(200), unknown);
        assert_eq!(s.get("/requests/nope/events").expect(200), json!({"events": [], "count": 0}));
        let one = s.delete(&format!("/claims/{held}?engineer=alice"));
        assert_eq!(one.expect(200), json!({"released": 1}));
    });
}

#[test]
fn extending() {
    on_each(TEST, |s| {
        let held = s.claimed("alice", "src/x.ts");
        let extend = |id: &str, body: Value| s.post(&format!("/claims/{id}/extend"), &body);
        let before = text(&s.claims_of("alice")[0]["expires_at"]);
        let longer = extend(&held, json!({"engineer": "alice", "ttl_hours": 9}));
        assert_eq!(longer.expect(200), json!({"ok": true}));
        assert!(text(&s.claims_of("alice")[0]["expires_at"]) > before);
        for (id, who) in [(held.as_str(), "bob"), ("nope", "alice")] {
            let said = extend(id, json!({"engineer": who})).refused(404);
            assert_eq!(said, "Claim not found or not owned");
        }
    });
}

#[test]
fn looking() {
    on_each(TEST, |s| {
        s.claimed("alice", "src/x.ts");
        let free = json!({"has_conflicts": false, "conflicts": [], "safe_to_proceed": true,
            "safe": true, "suggestion": null});
        let look = |query: &str| s.get(&format!("/conflicts?{query}"));
        assert_eq!(look("pattern=y.ts&engineer=bob").expect(200), free);
        assert_eq!(look("pattern=src/x.ts&engineer=bob&repo=o/r").expect(200), free);
        assert_eq!(look("pattern=src/x.ts&engineer=alice").expect(200), free);
        // Each session that is named is left out.
        let sessions = "session_id=s-none&session_id=s-alice";
        assert_eq!(look(&format!("pattern=src/x.ts&engineer=bob&{sessions}")).expect(200), free);
        let held = look("pattern=src/x.ts&pattern=y.ts&engineer=bob").expect(200);
        assert_eq!((&held["has_conflicts"], &held["safe"]), (&json!(true), &json!(false)));
        assert_eq!(held["conflicts"][0]["your_pattern"], "src/x.ts");
        for query in ["engineer=bob", "engineer=bob&pattern=", "engineer=bob&pattern=%21x"] {
            look(query).refused(400);
        }
    });
}

/// Lists inside a row are JSON in a string.
#[test]
fn json_in_strings() {
    on_each(TEST, |s| {
        let of = |engineer: &str, symbol: &str| {
            let item = json!({"type": "file", "pattern": "a.py", "symbols": [symbol]});
            let mut wish = claim_of(engineer, "a.py");
            wish["claims"] = json!([item]);
            rows(&s.post("/claims", &wish).expect(200), "claim_ids")[0].clone()
        };
        let (first, second) = (of("alice", "f"), of("bob", "g"));
        let partners = s.claims_of("alice")[0]["coexists_with"].clone();
        let partners: Value = serde_json::from_str(&text(&partners)).unwrap();
        assert_eq!(partners, json!([second]));
        let ask = json!({"claim_id": first, "requester": "carol", "session_id": "s-carol",
            "urgency": "high", "reason": "r", "wait_seconds": 0});
        let id = text(&s.post("/requests", &ask).expect(200)["id"]);
        s.get("/sessions/s-alice/pending_requests").expect(200);
        let answer = json!({"decision": "denied", "note": "no", "session_id": "s-alice",
            "engineer": "alice"});
        s.post(&format!("/requests/{id}/respond"), &answer).expect(200);
        s.post(&format!("/requests/{id}/respond"), &answer).expect(200);
        let events = rows(&s.get(&format!("/requests/{id}/events")).expect(200), "events");
        let kinds: Vec<&str> = events.iter().filter_map(|e| e["event_type"].as_str()).collect();
        assert_eq!(kinds, ["filed", "notified", "responded", "responded-late"]);
        let names = [
            "actor_engineer",
            "actor_session_id",
            "created_at",
            "detail",
            "event_type",
            "id",
            "request_id",
        ];
        assert!(events.iter().all(|e| keys(e) == names && e["request_id"] == json!(id)));
        let detail = |n: usize| serde_json::from_str::<Value>(&text(&events[n]["detail"])).unwrap();
        assert_eq!(detail(0)["claim_id"], first);
        assert_eq!(
            (&detail(0)["urgency"], &detail(0)["pattern"]),
            (&json!("high"), &json!("a.py"))
        );
        assert_eq!((&detail(2)["decision"], &detail(2)["note"]), (&json!("denied"), &json!("no")));
        assert_eq!(
            (&events[2]["actor_engineer"], &events[0]["actor_engineer"]),
            (&json!("alice"), &json!("carol"))
        );
    });
}

#[test]
fn requests() {
    on_each(TEST, |s| {
        let held = s.claimed("alice", "src/x.ts");
        let ask = |claim: &str| json!({"claim_id": claim, "requester": "bob", "wait_seconds": 0});
        let said = s.post("/requests", &ask("nope")).refused(404);
        assert!(said.contains("unknown claim_id 'nope'"), "{said}");
        let id = text(&s.post("/requests", &ask(&held)).expect(200)["id"]);
        for (query, n) in [
            ("", 1),
            ("?requester=bob", 1),
            ("?requester=alice", 0),
            ("?decision=pending", 1),
            ("?decision=denied", 0),
            (&format!("?claim_id={held}"), 1),
            ("?claim_id=nope", 0),
        ] {
            let found = rows(&s.get(&format!("/requests{query}")).expect(200), "requests");
            assert_eq!(found.len(), n, "{query}");
            for request in found {
                assert_eq!(
                    (&request["id"], &request["holder_engineer"]),
                    (&json!(id), &json!("alice"))
                );
                assert_eq!(request["holder_pattern"], "src/x.ts");
                assert!(request.get("holder_repo").is_some_and(Value::is_null), "{request}");
            }
        }
        assert_eq!(s.get(&format!("/requests/{id}")).expect(200)["id"], json!(id));
        assert_eq!(s.get("/requests/nope").refused(404), "request not found");
        let queued = s.get("/requests?queued=true").expect(200);
        assert_eq!(queued, json!({"requests": [], "count": 0, "queued": true}));
        s.delete(&format!("/claims/{held}")).expect(200);
        assert_eq!(s.get(&format!("/requests/{id}")).expect(200)["decision"], "resolved");
        assert!(s.post("/requests", &ask(&held)).refused(409).contains("no longer active"));
    });
}

#[test]
fn ownership() {
    on_each(TEST, |s| {
        let none = s.get("/config/ownership");
        assert_eq!((none.status, none.body.len()), (204, 0));
        let yaml = "# who\nmodules:\n  auth:\n    paths: [\"src/auth/**\"]\n    severity: Hard\n\
            \x20 web:\n    paths: [\"web/**\", \"ui/**\"]\n    owners: [amy]\n";
        let put = |text: &str| {
            s.ask(
                Ask::new("POST", "/config/ownership")
                    .header("Content-Type", "text/yaml")
                    .body(text),
            )
        };
        assert_eq!(put(yaml).expect(200), json!({"ok": true, "rules": 3}), "one for each path");
        let kept = s.get("/config/ownership");
        assert_eq!((kept.status, kept.text()), (200, yaml.to_owned()));
        assert!(
            kept.header("content-type").is_some_and(|t| t.starts_with("text/yaml")),
            "{kept:?}"
        );
        for bad in [
            ": :",
            "- a",
            "other: {}",
            "modules: {a: {owners: [x]}}",
            "modules: {}",
            "modules: {a: {paths: [x], severity: odd}}",
        ] {
            put(bad).refused(400);
        }
        assert_eq!(s.get("/config/ownership").text(), yaml, "what was refused is not kept");
        s.claimed("alice", "src/auth/login.ts");
        assert_eq!(s.claims_of("alice")[0]["severity"], "hard");
        s.claimed("bob", "web/x.ts");
        assert_eq!(s.claims_of("bob")[0]["severity"], "soft");
    });
}

#[test]
fn counts_of_what_happened() {
    on_each(TEST, |s| {
        let claim = |engineer: &str, pattern: &str| {
            let mut wish = claim_of(engineer, pattern);
            wish["repo"] = json!("o/r");
            s.post("/claims", &wish).status
        };
        let asked = ["a", "b", "c", "b"].map(|engineer| claim(engineer, "docs/x.md"));
        assert_eq!(asked, [200, 409, 409, 409]);
        let found = s.get("/metrics/hotspots?days=7&min_attempts=3&repo=o/r").expect(200);
        assert_eq!((&found["days"], &found["min_attempts"]), (&json!(7), &json!(3)));
        let spots = rows(&found, "hotspots");
        assert_eq!(spots.len(), 1);
        let names = ["attempts", "distinct_attempters", "last_attempt", "pattern", "repo"];
        assert_eq!(keys(&spots[0]), names);
        assert_eq!(
            (&spots[0]["attempts"], &spots[0]["distinct_attempters"]),
            (&json!(3), &json!(2))
        );
        let few = s.get("/metrics/hotspots?min_attempts=4").expect(200);
        assert_eq!((rows(&few, "hotspots").len(), &few["days"]), (0, &json!(30)));
        let repos = rows(&s.get("/repos").expect(200), "repos");
        assert_eq!(repos.len(), 1);
        assert_eq!((&repos[0]["repo"], &repos[0]["active_claims"]), (&json!("o/r"), &json!(1)));
        assert_eq!((&repos[0]["claims_24h"], &repos[0]["engineers_24h"]), (&json!(1), &json!(1)));
        let none = json!({"auto_coexist": 0, "auto_narrow": 0});
        assert_eq!(repos[0]["auto_resolutions_24h"], none);
        let mut symbol = claim_of("d", "docs/x.md");
        symbol["repo"] = json!("o/r");
        symbol["claims"][0]["symbols"] = json!(["f"]);
        s.post("/claims", &symbol).expect(200);
        let series = s.get("/metrics/auto-resolutions?days=1&repo=o/r").expect(200);
        assert_eq!((&series["days"], &series["count"]), (&json!(1), &json!(1)));
        assert_eq!(series["series"][0]["auto_narrow"], 1);
        assert_eq!(series["series"][0]["date"].as_str().map(str::len), Some(10));
    });
}

#[test]
fn promotion() {
    on_each(TEST, |s| {
        let promote = |body: Value| s.post("/metrics/hotspots/promote", &body);
        let body = promote(json!({"action": "shared_file", "pattern": "package.json"})).expect(200);
        assert_eq!((&body["ok"], &body["repo"]), (&json!(true), &Value::Null));
        assert_eq!(body["patched_yaml"], "shared_files:\n  - package.json\n");
        let again =
            promote(json!({"action": "shared_file", "pattern": "package.json"})).expect(200);
        assert_eq!(again["patched_yaml"], body["patched_yaml"]);
        assert_eq!(s.get("/config/ownership").text(), text(&body["patched_yaml"]));
        let split =
            promote(json!({"action": "split", "pattern": "big.ts", "note": "n"})).expect(200);
        assert!(text(&split["patched_yaml"]).contains("suggested_splits:"), "{split}");
        promote(json!({"action": "delete", "pattern": "x"})).refused(400);
    });
}

#[test]
fn who_may_ask_and_what_is_open() {
    on_each(TEST, |s| {
        let bare = |target: &str| s.ask_bare(Ask::new("GET", target));
        for target in [
            "/claims",
            "/conflicts",
            "/requests",
            "/repos",
            "/config/ownership",
            "/metrics/hotspots",
            "/sessions/x/pending_requests",
        ] {
            assert_eq!(bare(target).refused(401), "Missing bearer token", "{target}");
        }
        let wrong = |token: &str| {
            let ask =
                Ask::new("GET", "/claims").header("Authorization", &format!("Bearer {token}"));
            s.ask_bare(ask)
        };
        assert_eq!(wrong("nope").refused(401), "Invalid bearer token");
        if s.is_ours() {
            wrong("n\u{f6}pe").refused(401);
        }
        assert_eq!(bare("/health").status, 200);
        let ready = bare("/readyz").expect(200);
        for name in ["status", "version", "auth_mode"] {
            text(&ready[name]);
        }
        assert_eq!(ready["auth_mode"], "bearer");
        let meta = bare("/meta").expect(200);
        assert_eq!(keys(&meta), ["auth_mode", "name", "repo_root_configured", "version"]);
        assert_eq!(
            (&meta["auth_mode"], &meta["repo_root_configured"]),
            (&json!("bearer"), &json!(false))
        );
    });
}

#[test]
fn metrics_text() {
    on_each(TEST, |s| {
        let held = s.claimed("alice", "src/x.ts");
        s.claim("bob", "src/x.ts").expect(409);
        s.delete(&format!("/claims/{held}")).expect(200);
        s.ask_bare(Ask::new("GET", "/claims")).refused(401);
        let metrics = s.ask_bare(Ask::new("GET", "/metrics"));
        let kind = metrics.header("content-type").unwrap_or_default().to_owned();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        let said = metrics.text();
        let count = |line: &str| -> f64 {
            let found = said.lines().find_map(|l| l.strip_prefix(line));
            found.unwrap_or_else(|| panic!("no {line} in {said}")).trim().parse().unwrap()
        };
        for (line, n) in [
            ("claims_created_total{severity=\"soft\"}", 1.0),
            ("claims_conflicts_total", 1.0),
            ("claims_released_total", 1.0),
            ("auth_failures_total", 1.0),
            ("http_requests_total{method=\"POST\",path=\"/claims\",status=\"200\"}", 1.0),
            ("http_requests_total{method=\"POST\",path=\"/claims\",status=\"409\"}", 1.0),
            (
                "http_requests_total{method=\"DELETE\",path=\"/claims/{claim_id}\",status=\"200\"}",
                1.0,
            ),
        ] {
            assert!((count(line) - n).abs() < f64::EPSILON, "{line}: {said}");
        }
        assert!(said.contains("build_info{version=\""), "{said}");
        assert!(said.contains("# TYPE claims_created_total counter"), "{said}");
    });
}

#[test]
fn each_answer_has_the_id_of_its_request() {
    on_each(TEST, |s| {
        let ask = |method: &str, target: &str| with_token(Ask::new(method, target));
        for (status, ask) in [
            (200, ask("GET", "/claims")),
            (401, Ask::new("GET", "/claims")),
            (404, ask("GET", "/nowhere")),
            (404, ask("GET", "/requests/nope")),
            (405, ask("PATCH", "/claims")),
            (422, ask("POST", "/claims").json(&json!({}))),
        ] {
            let mine = s.ask_bare(ask.clone().header("X-Request-ID", "ci-4711/a"));
            assert_eq!(mine.status, status, "{}", mine.text());
            assert_eq!(mine.header("x-request-id"), Some("ci-4711/a"), "{status}");
            let minted = s.ask_bare(ask);
            let id = minted.header("x-request-id").unwrap_or_default();
            assert_eq!(id.len(), 16, "{status}: {id}");
            assert!(id.chars().all(|c| c.is_ascii_hexdigit()), "{status}: {id}");
        }
    });
}

#[test]
fn a_wait_is_woken_and_a_caller_that_left_gets_nothing() {
    on_each(TEST, |s: &Judged| {
        let held = s.claimed("alice", "src/x.ts");
        let mut wish = claim_of("bob", "src/x.ts");
        wish["wait_seconds"] = json!(20);
        let ask = with_token(Ask::new("POST", "/claims").json(&wish));
        let waiting = || rows(&s.get("/requests?queued=true").expect(200), "requests").len();
        if s.is_ours() {
            let mut left = Conn::open(s.address()).unwrap();
            left.send(&ask.bytes("localhost")).unwrap();
            eventually(SOON, "it stands in the queue", || waiting() == 1);
            drop(left);
            eventually(SOON, "it left the queue", || waiting() == 0);
        }
        thread::scope(|scope| {
            let waiter = scope.spawn(|| s.ask(Ask::new("POST", "/claims").json(&wish)));
            eventually(SOON, "it stands in the queue", || waiting() == 1);
            s.delete(&format!("/claims/{held}")).expect(200);
            let body = waiter.join().unwrap().expect(200);
            assert_eq!((rows(&body, "claim_ids").len(), keys(&body)), (1, ANSWER.to_vec()));
        });
        assert_eq!(s.claims_of("bob").len(), 1);
    });
}
