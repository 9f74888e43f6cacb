//! `GET /conflicts` says what `POST /claims` would: on random patterns, with any number of claims and
//! locks of others about, with symbols, with own claims, and with somebody in the queue.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::sync::atomic::{AtomicU64, Ordering};

use coord_protocol::edge::Rng;
use coord_protocol::time::Millis;
use coord_server::api::Call;
use coord_server::inline::Inline;
use coord_server::service::Rules;
use serde_json::{Value, json};

const WORLDS: u64 = 400;
const QUESTIONS: usize = 12;

struct Dice(AtomicU64);

impl Rng for Dice {
    fn u64(&self) -> u64 {
        let x = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}

impl Dice {
    fn of<T: Copy>(&self, all: &[T]) -> T {
        all[usize::try_from(self.u64() % all.len() as u64).unwrap()]
    }

    fn pattern(&self) -> String {
        let part = || {
            self.of(&[
                "src", "lib", "a", "b", "*", "a*", "*b", "**", "x.ts", "*.ts", "[ab]", "{a,b}", "?",
            ])
        };
        let parts: Vec<&str> = (0..=self.u64() % 4).map(|_| part()).collect();
        let head = self.of(&["", "", "", "/", "./"]);
        let tail = self.of(&["", "", "", "/"]);
        format!("{head}{}{tail}", parts.join("/"))
    }
}

struct World {
    engine: Inline,
    dice: Dice,
}

impl World {
    fn call(&self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let call = Call {
            method: method.into(),
            target: target.into(),
            body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
            ..Call::default()
        };
        let reply =
            self.engine.call_and_wait(&call, Millis(1_700_000_000_000), &self.dice).unwrap();
        (reply.status, serde_json::from_str(&reply.body).unwrap_or(Value::Null))
    }

    fn claim(&self, engineer: &str, pattern: &str, symbols: &[&str], wait: u32) -> (u16, Value) {
        let body = json!({"engineer": engineer, "session_id": format!("s-{engineer}"),
            "repo": "o/r", "wait_seconds": wait,
            "claims": [{"type": "file", "pattern": pattern, "symbols": symbols}]});
        self.call("POST", "/claims", &body)
    }

    fn populate(&self) {
        for n in 0..self.dice.u64() % 6 {
            let who = self.dice.of(&["ann", "bob", "me"]);
            let pattern = self.dice.pattern();
            match self.dice.u64() % 5 {
                0 => drop(self.claim(who, &pattern, &["A::f"], 0)),
                1 => {
                    let lock = json!({"project_key": "o/r", "session_id": format!("M/{n}"),
                        "resource": pattern});
                    drop(self.call("POST", "/api/coord/locks", &lock));
                }
                2 => drop(self.claim(who, &pattern, &[], 60)),
                _ => drop(self.claim(who, &pattern, &[], 0)),
            }
        }
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

#[test]
fn a_question_and_a_claim_agree() {
    let (mut yes, mut no, mut bad, mut hidden) = (0, 0, 0, 0);
    for seed in 0..WORLDS {
        let engine = Inline::in_memory(Rules::default(), "agreement").unwrap();
        let world = World { engine, dice: Dice(AtomicU64::new(seed * 104_729)) };
        world.populate();
        for _ in 0..QUESTIONS {
            let pattern = world.dice.pattern();
            let question = format!(
                "/conflicts?engineer=me&session_id=s-me&repo=o/r&pattern={}",
                encoded(&pattern)
            );
            let (status, said) = world.call("GET", &question, &Value::Null);
            let (claimed, answer) = world.claim("me", &pattern, &[], 0);
            match (status, claimed) {
                (400, 400) => bad += 1,
                (200, 409) if said["safe"] == true => {
                    // The one exception: what a partner of the asker holds is hidden from questions.
                    let mine = world.call("GET", "/claims?engineer=me", &Value::Null).1.to_string();
                    for c in answer["conflicts"].as_array().unwrap() {
                        let id = c["conflicting_claim"]["id"].as_str().unwrap();
                        assert!(mine.contains(id), "{seed} {pattern}: {said} {answer}");
                    }
                    hidden += 1;
                }
                (200, 409) => no += 1,
                (200, 200) => {
                    assert_eq!(said["has_conflicts"], false, "{seed} {pattern}: {said} {answer}");
                    yes += 1;
                    let ids = json!({"claim_ids": answer["claim_ids"], "engineer": "me"});
                    world.call("POST", "/claims/release", &ids);
                }
                other => panic!("{seed} {pattern}: {other:?} {said} {answer}"),
            }
        }
    }
    assert!(yes > 500 && no > 500 && bad > 5, "{yes} yes, {no} no, {bad} bad");
    assert!(hidden < no / 10, "{hidden} hidden");
}

#[test]
fn the_pairs_of_the_reference() {
    let pairs = [
        ("src/**", "**/login.ts", true),
        ("src/**/x.ts", "src/a/**", true),
        ("src/a*", "src/*b", true),
        ("src/*_test.py", "src/test_*.py", true),
        ("a/*/c", "a/b/*", true),
        ("./py/util.py", "py/util.py", true),
        ("login.ts", "src/auth/login.ts", true),
        ("src/auth", "src/auth/x.ts", true),
        ("src/a/**", "src/b/**", false),
        ("src/*.ts", "src/*.py", false),
        ("src/a.ts", "src/b.ts", false),
        ("docs/**", "README.md/x", false),
    ];
    for (a, b, meet) in pairs {
        for (a, b) in [(a, b), (b, a)] {
            let engine = Inline::in_memory(Rules::default(), "pairs").unwrap();
            let world = World { engine, dice: Dice(AtomicU64::new(1)) };
            assert_eq!(world.claim("ann", a, &[], 0).0, 200, "{a}");
            let question = format!("/conflicts?engineer=bob&repo=o/r&pattern={}", encoded(b));
            let said = world.call("GET", &question, &Value::Null).1;
            assert_eq!(said["has_conflicts"], meet, "{a} with {b}: {said}");
            assert_eq!(world.claim("bob", b, &[], 0).0, if meet { 409 } else { 200 }, "{a}, {b}");
        }
    }
}
