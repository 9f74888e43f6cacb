//! The bridge's tools for claims: `list_claims`, `check_conflicts`, `claim_files`, `release_claims`,
//! `release_session`.

use std::fs;

use serde_json::{Value, json};

use super::bridge::{Bridge, agents};
use super::judged::{keys, rows, text};

const ANSWER: [&str; 4] = ["claim_ids", "conflicts", "options", "warnings"];
/// What somebody can do about a conflict.
const AFTER_CONFLICT: [&str; 4] = ["wait", "narrow_claim", "escalate", "override"];

#[track_caller]
fn assert_refused(said: &Value, options: &[&str]) {
    assert_eq!(keys(said), ANSWER, "{said}");
    assert_eq!(said["claim_ids"], json!([]));
    assert_eq!(said["options"], json!(options));
}

fn listed(bridge: &mut Bridge, arguments: &Value) -> Vec<Value> {
    rows(&bridge.call("list_claims", arguments), "claims")
}

#[test]
fn claim_list_release() {
    let Some((_s, [mut a, mut b])) = agents("peer::claiming", ["alice", "bob"]) else { return };
    let said = a.claim(json!({"patterns": ["src/auth/login.ts", "docs/**"], "branch": "b1",
        "description": "auth work", "shared_files": ["package.json"], "ttl_hours": 6}));
    assert_eq!(keys(&said), ANSWER);
    assert_eq!((&said["conflicts"], &said["options"]), (&json!([]), &json!([])));
    let ids = said["claim_ids"].as_array().unwrap().clone();
    assert_eq!(ids.len(), 3);
    let claims = listed(&mut b, &json!({}));
    for (id, (pattern, kind)) in ids.iter().zip([
        ("src/auth/login.ts", "file"),
        ("docs/**", "file"),
        ("package.json", "shared_file"),
    ]) {
        let claim = claims.iter().find(|c| c["id"] == *id).expect("each claim is listed");
        assert_eq!((&claim["pattern"], &claim["claim_type"]), (&json!(pattern), &json!(kind)));
        assert_eq!(
            (&claim["engineer"], &claim["session_id"]),
            (&json!("alice"), &json!("s-alice"))
        );
        assert_eq!((&claim["branch"], &claim["description"]), (&json!("b1"), &json!("auth work")));
        assert_eq!(claim["narrowable"], json!(i32::from(kind == "file")));
        assert_eq!(claim["released_at"], Value::Null);
    }
    assert_eq!(listed(&mut b, &json!({"engineer": "alice"})).len(), 3);
    assert_eq!(listed(&mut b, &json!({"engineer": "nobody"})), [Value::Null; 0]);
    assert_eq!(listed(&mut b, &json!({"module": "AUTH"})).len(), 1, "any case, any part");
    // Somebody else's name releases nothing, an unknown id neither.
    let release = |ids: &[Value], who: &str| json!({"claim_ids": ids, "engineer": who});
    assert_eq!(b.call("release_claims", &release(&ids, "bob")), json!({"released": 0}));
    assert_eq!(a.call("release_claims", &release(&[json!("nope")], "alice"))["released"], 0);
    assert_eq!(a.call("release_claims", &release(&ids[..1], "alice"))["released"], 1);
    assert_eq!(a.call("release_claims", &release(&ids, "alice"))["released"], 2);
    assert_eq!(listed(&mut b, &json!({})), [Value::Null; 0]);
    let ended = listed(&mut b, &json!({"active_only": false}));
    assert_eq!(ended.len(), 3);
    assert!(ended.iter().all(|c| c["released_at"].is_string()), "{ended:?}");
}

#[test]
fn a_conflict_names_the_holder() {
    let Some((_s, [mut a, mut b])) = agents("peer::claiming", ["alice", "bob"]) else { return };
    let id = a.claimed("src/auth/login.ts");
    let said = b.claim(json!({"patterns": ["free.ts", "src/auth/login.ts"]}));
    assert_refused(&said, &AFTER_CONFLICT);
    let conflicts = rows(&said, "conflicts");
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0]["your_pattern"], "src/auth/login.ts");
    let holder = &conflicts[0]["conflicting_claim"];
    assert_eq!((&holder["id"], &holder["engineer"]), (&json!(id), &json!("alice")));
    assert_eq!((&holder["scope_type"], &holder["symbols"]), (&json!("file"), &Value::Null));
    assert!(!conflicts[0]["overlap"].as_array().unwrap().is_empty());
    // All or nothing: the free file was not taken.
    assert_eq!(listed(&mut a, &json!({})).len(), 1);
    // The session that holds it is never in its own way, also not under another name.
    let said =
        a.call("claim_files", &json!({"engineer": "a sub-agent", "patterns": ["src/auth/*"]}));
    assert_eq!(said["claim_ids"].as_array().map(Vec::len), Some(1), "{said}");
}

#[test]
fn looking_before_claiming() {
    let Some((_s, [mut a, mut b])) = agents("peer::claiming", ["alice", "bob"]) else { return };
    let look = json!({"files": ["src/auth/login.ts", "x.ts"], "engineer": "bob"});
    let free = json!({"has_conflicts": false, "conflicts": [], "safe_to_proceed": true,
        "safe": true, "suggestion": null});
    assert_eq!(b.call("check_conflicts", &look), free);
    a.claimed("src/auth/login.ts");
    let held = b.call("check_conflicts", &look);
    assert_eq!((&held["has_conflicts"], &held["safe"]), (&json!(true), &json!(false)));
    assert_eq!(held["safe_to_proceed"], false);
    let conflicts = rows(&held, "conflicts");
    assert_eq!(conflicts.len(), 1);
    let names = ["engineer", "expires_at", "overlap", "pattern", "severity", "your_pattern"];
    assert_eq!(keys(&conflicts[0]), names);
    assert_eq!(conflicts[0]["engineer"], "alice");
    assert!(text(&held["suggestion"]).contains("alice"), "{held}");
    // The holder is not in its own way.
    let mine = json!({"files": ["src/auth/login.ts"], "engineer": "alice"});
    assert_eq!(a.call("check_conflicts", &mine), free);
    // Looking stores nothing and tells nobody.
    assert_eq!(rows(&a.call("pending_requests", &json!({})), "pending"), [Value::Null; 0]);
}

#[test]
fn symbols_of_one_file() {
    let Some((s, [mut a, mut b, mut c])) = agents("peer::claiming", ["alice", "bob", "carol"])
    else {
        return;
    };
    let of = |names: &[&str]| json!({"symbols": {"src/login.ts": names}});
    let first = a.claim(of(&["handleLogin"]));
    assert_eq!(first["claim_ids"].as_array().map(Vec::len), Some(1), "{first}");
    // Others beside it: both know of each other.
    let second = b.claim(of(&["handleLogout"]));
    assert_eq!(second["claim_ids"].as_array().map(Vec::len), Some(1), "{second}");
    let partner = &s.claims_of("alice")[0];
    assert_eq!((&partner["scope_type"], &partner["narrowable"]), (&json!("symbol"), &json!(0)));
    let partners: Vec<Value> = serde_json::from_str(&text(&partner["coexists_with"])).unwrap();
    assert_eq!(json!(partners), second["claim_ids"]);
    // The same one again: who has it, and which.
    let third = c.claim(of(&["handleLogin", "refresh"]));
    assert_refused(&third, &AFTER_CONFLICT);
    let conflict = &third["conflicts"][0];
    assert_eq!(conflict["conflicting_claim"]["symbols"], json!(["handleLogin"]));
    assert_eq!(conflict["your_symbols"], json!(["handleLogin", "refresh"]));
    let overlap = json!([{"file": "src/login.ts", "symbols": ["handleLogin"]}]);
    assert_eq!(conflict["symbol_overlap"], overlap);
    // A whole file meets both.
    let whole = c.claim(json!({"patterns": ["src/login.ts"]}));
    assert_refused(&whole, &AFTER_CONFLICT);
    assert_eq!(rows(&whole, "conflicts").len(), 2);
    // A coexisting partner stays protected.
    if s.is_ours() {
        assert_refused(&b.claim(of(&["handleLogin"])), &AFTER_CONFLICT);
        assert_refused(&b.claim(json!({"patterns": ["src/login.ts"]})), &AFTER_CONFLICT);
    }
}

#[test]
fn a_file_claim_gives_way_to_symbols_unless_it_says_no() {
    let Some((s, [mut a, mut b])) = agents("peer::claiming", ["alice", "bob"]) else { return };
    let wide = a.claimed("src/a.ts");
    let said = a.claim(json!({"patterns": ["src/b.ts"], "narrowable": false}));
    let stiff = said["claim_ids"][0].clone();
    let said = b.claim(json!({"symbols": {"src/a.ts": ["f"]}}));
    assert_eq!(said["claim_ids"].as_array().map(Vec::len), Some(1), "{said}");
    assert_refused(&b.claim(json!({"symbols": {"src/b.ts": ["f"]}})), &AFTER_CONFLICT);
    for claim in s.claims_of("alice") {
        let narrowable = json!(i32::from(claim["id"] == json!(wide)));
        assert_eq!(claim["narrowable"], narrowable, "{claim}");
        assert_eq!(claim["coexists_with"].is_string(), claim["id"] == json!(wide), "{claim}");
    }
    // What was refused stands in the holder's inbox; who was narrowed is told as well.
    let inbox = rows(&a.call("pending_requests", &json!({})), "pending");
    let of = |kind: &str| inbox.iter().filter(|p| p["kind"] == kind).collect::<Vec<_>>();
    let bounced = of("auto-conflict");
    assert_eq!(bounced.len(), 1, "{inbox:?}");
    assert_eq!((&bounced[0]["claim_id"], &bounced[0]["attempted_by"]), (&stiff, &json!("bob")));
    if s.is_ours() {
        assert_eq!(of("auto-narrow-notice").len(), 1, "{inbox:?}");
    }
}

#[test]
fn refused_at_the_door() {
    let Some((_s, [mut a])) = agents("peer::claiming", ["alice"]) else { return };
    for pattern in ["", "  ", "!src/x.ts"] {
        let said = a.claim(json!({"patterns": [pattern]}));
        assert_refused(&said, &["narrow_claim"]);
        assert_eq!(rows(&said, "warnings").len(), 1, "{said}");
    }
    assert_refused(&a.claim(json!({"patterns": []})), &["narrow_claim", "escalate"]);
    // The bridge reads the checkout itself and does not ask about symbols that are not there.
    fs::write(a.folder().join("x.py"), "def there():\n    pass\n").unwrap();
    let said = a.claim(json!({"symbols": {"x.py": ["gone"]}}));
    assert_eq!((&said["client_validated"], &said["claim_ids"]), (&json!(true), &json!([])));
    let said = a.claim(json!({"symbols": {"x.py": ["there"]}}));
    assert_eq!(said["claim_ids"].as_array().map(Vec::len), Some(1), "{said}");
    // More than a wait may be long is no claim answer: the tool fails with the status.
    let said = a.fails(
        "claim_files",
        &json!({"engineer": "alice", "patterns": ["x"],
        "wait_seconds": 601}),
    );
    assert!(said.contains("422"), "{said}");
    let said = a.fails("check_conflicts", &json!({"files": ["!x"], "engineer": "alice"}));
    assert!(said.contains("400"), "{said}");
}

#[test]
fn a_session_ends_with_all_it_holds() {
    let Some((s, [mut a, mut b])) = agents("peer::claiming", ["alice", "bob"]) else { return };
    a.claimed("a.ts");
    a.call("claim_files", &json!({"engineer": "a sub-agent", "patterns": ["b.ts"]}));
    b.claimed("c.ts");
    assert_eq!(b.call("release_session", &json!({"session_id": "nobody"})), json!({"released": 0}));
    assert_eq!(a.call("release_session", &json!({})), json!({"released": 2}));
    assert_eq!(a.call("release_session", &json!({})), json!({"released": 0}));
    assert_eq!(listed(&mut a, &json!({})).len(), 1);
    // A session may end another one that was left behind.
    assert_eq!(a.call("release_session", &json!({"session_id": "s-bob"})), json!({"released": 1}));
    assert_eq!(s.claims_of("bob"), [Value::Null; 0]);
}
