//! 422: what is wrong with a body or a query, in the form that clients of the other parse.

use coord_tests::raw::{Answer, Ask};
use serde_json::{Value, json};

use super::judged::{claim_of, keys, on_each};

const TEST: &str = "peer::refusals";

/// What is said about the first fault, and where it is.
#[track_caller]
fn place(answer: &Answer) -> Value {
    let body = answer.expect(422);
    let faults = body["detail"].as_array().unwrap_or_else(|| panic!("no list: {body}"));
    for fault in faults {
        for name in ["loc", "msg", "type"] {
            assert!(keys(fault).contains(&name), "no {name}: {fault}");
        }
        assert!(fault["msg"].is_string() && fault["type"].is_string(), "{fault}");
    }
    faults[0]["loc"].clone()
}

#[test]
fn a_body_of_another_shape() {
    on_each(TEST, |s| {
        let item = json!([{"type": "file", "pattern": "x"}]);
        let of = |name: &str, value: Value| {
            let mut body = claim_of("alice", "x");
            body[name] = value;
            body
        };
        for (target, body, loc) in [
            ("/claims", json!({"claims": item}), json!(["body", "engineer"])),
            ("/claims", json!({"engineer": "a"}), json!(["body", "claims"])),
            ("/claims", of("engineer", json!(7)), json!(["body", "engineer"])),
            ("/claims", of("claims", json!("x")), json!(["body", "claims"])),
            (
                "/claims",
                of("claims", json!([{"type": "file"}])),
                json!(["body", "claims", 0, "pattern"]),
            ),
            (
                "/claims",
                of("claims", json!([{"pattern": "x"}])),
                json!(["body", "claims", 0, "type"]),
            ),
            ("/claims", of("wait_seconds", json!(601)), json!(["body", "wait_seconds"])),
            ("/claims", of("wait_seconds", json!(-1)), json!(["body", "wait_seconds"])),
            ("/claims", of("ttl_hours", json!(2.5)), json!(["body", "ttl_hours"])),
            ("/claims", of("ttl_hours", json!("soon")), json!(["body", "ttl_hours"])),
            ("/claims", of("repo", json!([1])), json!(["body", "repo"])),
            ("/claims/release", json!({}), json!(["body", "claim_ids"])),
            ("/claims/x/extend", json!({}), json!(["body", "engineer"])),
            ("/requests", json!({"requester": "a"}), json!(["body", "claim_id"])),
            ("/requests", json!({"claim_id": "x"}), json!(["body", "requester"])),
            ("/requests/x/respond", json!({}), json!(["body", "decision"])),
            ("/metrics/hotspots/promote", json!({"action": "split"}), json!(["body", "pattern"])),
            (
                "/metrics/hotspots/promote",
                json!({"action": "split", "pattern": ""}),
                json!(["body", "pattern"]),
            ),
        ] {
            assert_eq!(place(&s.post(target, &body)), loc, "{target} {body}");
        }
        let symbols = of("claims", json!([{"type": "file", "pattern": "x", "symbols": [1]}]));
        assert_eq!(place(&s.post("/claims", &symbols)), json!(["body", "claims", 0, "symbols", 0]));
    });
}

#[test]
fn no_object_at_all() {
    on_each(TEST, |s| {
        for body in ["", "{", "[]", "7", "null", "\"x\""] {
            let ask = Ask::new("POST", "/claims").header("Content-Type", "application/json");
            assert_eq!(place(&s.ask(ask.body(body)))[0], "body", "{body:?}");
        }
    });
}

#[test]
fn a_query_of_another_shape() {
    on_each(TEST, |s| {
        for (target, name) in [
            ("/conflicts?pattern=x", "engineer"),
            ("/claims?active_only=perhaps", "active_only"),
            ("/requests?queued=perhaps", "queued"),
            ("/metrics/hotspots?days=0", "days"),
            ("/metrics/hotspots?days=91", "days"),
            ("/metrics/hotspots?days=x", "days"),
            ("/metrics/hotspots?min_attempts=0", "min_attempts"),
            ("/metrics/hotspots?limit=201", "limit"),
            ("/metrics/auto-resolutions?days=91", "days"),
        ] {
            assert_eq!(place(&s.get(target)), json!(["query", name]), "{target}");
        }
        for yes in ["true", "1", "yes", "on", "True"] {
            s.get(&format!("/claims?active_only={yes}")).expect(200);
        }
    });
}
