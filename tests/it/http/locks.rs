//! Locks: who may hold what, and who may end it.

use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;

use coord_tests::raw::Ask;
use coord_tests::server::{TestServer, on_each_face};
use serde_json::json;

use super::shorthand::{PROJECT, claim, column, id, release, text};

#[test]
fn every_spelling_is_the_same_lock() {
    on_each_face(|s| {
        let held = claim(s, "M/a", "src/x/../lib.rs").expect(201);
        assert_eq!(text(&held, "resource"), "src/lib.rs");
        for spelling in
            ["src/lib.rs", "./src/lib.rs", "/src//lib.rs", "src\\lib.rs", " src/lib.rs "]
        {
            let no = claim(s, "M/b", spelling);
            let detail = no.refused(409);
            assert!(detail.contains("M/a"), "{detail}");
            assert_eq!(text(&no.json()["conflicts"][0]["lock"], "id"), id(&held));
        }
        // Another project is another world.
        s.post(
            "/api/coord/locks",
            &json!({"project_key": "q", "session_id": "M/b", "resource": "src/lib.rs"}),
        )
        .expect(201);
        claim(s, "M/b", "src/lib.rss").expect(201);
        claim(s, "M/b", "src").expect(201);
    });
}

#[test]
fn globs_conflict_when_one_path_fits_both() {
    on_each_face(|s| {
        claim(s, "M/a", "src/api/*.rs").expect(201);
        for (touching, witness) in [
            ("src/api/v1.rs", "src/api/v1.rs"),
            ("src/*/mod.rs", "src/api/mod.rs"),
            ("src/", ""),
            ("**", ""),
        ] {
            let no = claim(s, "M/b", touching);
            no.refused(409);
            let overlap = text(&no.json()["conflicts"][0], "overlap");
            assert!(overlap.starts_with("src/api/"), "{overlap}");
            assert!(witness.is_empty() || overlap == witness, "{touching}: {overlap}");
        }
        for apart in ["src/api/v1.ts", "src/api/deep/v1.rs", "src/*.rs", "docs/**", "src/api"] {
            claim(s, "M/b", apart).expect(201);
        }
        claim(s, "M/c", "docs/a/b.md").refused(409);
        // What touches is what the filter of the list shows.
        let touching = |resource: &str| {
            let list =
                s.get(&format!("/api/coord/locks?project_key={PROJECT}&resource={resource}"));
            let mut found = column(&list.expect(200), "locks", "resource");
            found.sort();
            found
        };
        assert_eq!(touching("src/api/x.rs"), ["src/api/*.rs"]);
        assert_eq!(touching("src/*.rs"), ["src/*.rs"]);
        assert_eq!(touching("src/api/v1.*"), ["src/api/*.rs", "src/api/v1.ts"]);
        s.get("/api/coord/locks?resource=x").refused(422);
    });
}

#[test]
fn names_that_are_no_resource() {
    on_each_face(|s| {
        let long = "x".repeat(513);
        for bad in ["", "/", "..", "a/../../b", "a\nb", "src/[a", &long] {
            claim(s, "M/a", bad).refused(422);
        }
        for bad in ["", " M/a", "a\u{7}b", &long] {
            claim(s, bad, "x").refused(422);
        }
        assert_eq!(s.get("/api/coord/locks").expect(200)["count"], 0);
    });
}

#[test]
fn fences_grow() {
    on_each_face(|s| {
        let mut last = 0;
        for _ in 0..20 {
            let lock = claim(s, "M/a", "x").expect(201);
            let fence = lock["fence"].as_i64().unwrap();
            assert!(fence > last, "{fence} after {last}");
            last = fence;
            release(s, "M/a", &id(&lock)).expect(200);
        }
    });
}

#[test]
fn only_the_holder_releases() {
    on_each_face(|s| {
        let lock = id(&claim(s, "M/a", "x").expect(201));
        let no = release(s, "M/b", &lock).refused(403);
        assert!(no.contains("M/a") && no.contains("M/b"), "{no}");
        s.delete(&format!("/api/coord/locks/{lock}")).refused(422);
        release(s, "M/a", "no-such-lock").refused(404);
        assert_eq!(s.get("/api/coord/locks").expect(200)["count"], 1);
        // By its holder; then everything that comes later changes nothing.
        let first = release(s, "M/a", &lock).expect(200);
        assert_eq!(first, json!({"id": lock, "released": true, "reason": "released"}));
        for session in ["M/a", "M/b"] {
            let again = release(s, session, &lock).expect(200);
            assert_eq!(again, json!({"id": lock, "released": false, "reason": "released"}));
        }
    });
}

#[test]
fn force_needs_a_reason() {
    on_each_face(|s| {
        let lock = id(&claim(s, "M/a", "x").expect(201));
        let path = format!("/api/coord/locks/{lock}?session_id=M/b&force=true");
        s.delete(&path).refused(422);
        s.delete(&format!("{path}&reason=%20")).refused(422);
        let done = s.delete(&format!("{path}&reason=its+machine+burnt")).expect(200);
        assert_eq!(text(&done, "reason"), "forced");
        claim(s, "M/b", "x").expect(201);
    });
}

#[test]
fn the_end_of_a_session_releases_what_it_holds() {
    on_each_face(|s| {
        for resource in ["x", "y"] {
            claim(s, "M/a", resource).expect(201);
        }
        let other = id(&claim(s, "M/b", "z").expect(201));
        let ended = s.post("/api/coord/sessions/end", &json!({"session_id": "M/a"})).expect(200);
        assert_eq!(ended["released"], 2);
        assert_eq!(column(&s.get("/api/coord/locks").expect(200), "locks", "id"), [other]);
    });
}

#[test]
fn pages_of_locks() {
    on_each_face(|s| {
        for n in 0..7 {
            claim(s, "M/a", &format!("src/{n}")).expect(201);
        }
        for filter in ["", "&resource=src/", "&resource=src/*&session_id=M/a"] {
            let mut seen = Vec::new();
            let mut next = None;
            for _ in 0..10 {
                let after = next.map_or(String::new(), |n: String| format!("&after={n}"));
                let page = s
                    .get(&format!("/api/coord/locks?project_key={PROJECT}&limit=3{filter}{after}"))
                    .expect(200);
                seen.extend(column(&page, "locks", "resource"));
                next = page["next"].as_str().map(str::to_owned);
                if next.is_none() {
                    break;
                }
            }
            let wanted: Vec<_> = (0..7).map(|n| format!("src/{n}")).collect();
            assert_eq!(seen, wanted, "filter {filter:?}");
        }
    });
}

#[test]
fn sixteen_at_once_and_one_winner() {
    const ROUNDS: usize = 200;
    on_each_face(|s| {
        let barrier = Barrier::new(16);
        let wins: Vec<Vec<(usize, i64)>> = thread::scope(|scope| {
            let racers: Vec<_> = (0..16)
                .map(|n| {
                    scope.spawn({
                        let barrier = &barrier;
                        move || race(s, &format!("M/{n}"), barrier, ROUNDS)
                    })
                })
                .collect();
            racers.into_iter().map(|r| r.join().unwrap()).collect()
        });
        let wins: Vec<_> = wins.into_iter().flatten().collect();
        let rounds: HashSet<_> = wins.iter().map(|(round, _)| *round).collect();
        assert_eq!((wins.len(), rounds.len()), (ROUNDS, ROUNDS), "one winner in each round");
        let fences: HashSet<_> = wins.iter().map(|(_, fence)| *fence).collect();
        assert_eq!(fences.len(), ROUNDS, "no fence is given twice");
    });
}

/// Claims in each round together with the others; the rounds it won, with the fences.
fn race(s: &TestServer, session: &str, barrier: &Barrier, rounds: usize) -> Vec<(usize, i64)> {
    let body = json!({"project_key": PROJECT, "session_id": session, "resource": "prize"});
    let ask = Ask::new("POST", "/api/coord/locks").json(&body).closing();
    let mut won = Vec::new();
    for round in 0..rounds {
        barrier.wait();
        let answer = s.ask(ask.clone());
        barrier.wait();
        match answer.status {
            201 => {
                let lock = answer.json();
                won.push((round, lock["fence"].as_i64().unwrap()));
                release(s, session, &id(&lock)).expect(200);
            }
            409 => {}
            other => panic!("{other}: {}", answer.text()),
        }
    }
    won
}

#[test]
fn a_name_can_be_meant_to_the_letter() {
    on_each_face(|s| {
        let ask = |session: &str, resource: &str, literal: bool| {
            let body = json!({"project_key": PROJECT, "session_id": session, "resource": resource,
                              "literal": literal});
            s.post("/api/coord/locks", &body)
        };
        let page = "app/[user-id]/page.tsx";
        let why = ask("M/a", page, false).refused(422);
        assert!(why.contains("literal"), "{why}");
        ask("M/a", page, true).expect(201);
        ask("M/b", page, true).refused(409);
        ask("M/b", "app/**", false).refused(409);
        ask("M/b", "app/u/page.tsx", false).expect(201);
        let list = s.get(&format!(
            "/api/coord/locks?project_key={PROJECT}&resource=app/%5Buser-id%5D/page.tsx&literal=true"
        ));
        assert_eq!(list.expect(200)["count"], 1);
    });
}

#[test]
fn patterns_that_cost_too_much_are_refused() {
    on_each_face(|s| {
        let hostile = |c: char| format!("*{}*{}x", "{a,b}".repeat(5), format!("{c}*").repeat(200));
        claim(s, "M/a", &hostile('a')).refused(422);
        let long = |c: char| format!("{}x", format!("*{c}").repeat(250));
        claim(s, "M/a", &long('a')).expect(201);
        let began = std::time::Instant::now();
        claim(s, "M/b", &long('b')).expect(201);
        assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    });
}

#[test]
fn an_answer_that_names_conflicts_stays_short() {
    on_each_face(|s| {
        // Cut within a character of three bytes.
        let why = format!("x{}", "\u{20ac}".repeat(80_000));
        for n in 0..12 {
            let ask = json!({"project_key": PROJECT, "session_id": format!("M/{n}"),
                "resource": format!("src/{n}"), "description": why});
            s.post("/api/coord/locks", &ask).expect(201);
        }
        let answer = claim(s, "M/x", "src/");
        assert!(answer.body.len() < 20_000, "{} bytes", answer.body.len());
        let detail = answer.refused(409);
        assert!(detail.contains("11 more in the way") && detail.contains("(x\u{20ac}"), "{detail}");
        let no = answer.json();
        assert_eq!(
            (&no["conflict_count"], no["conflicts"].as_array().map(Vec::len)),
            (&json!(12), Some(10))
        );
        let first = &no["conflicts"][0]["lock"];
        let cut = text(first, "description");
        assert!(why.starts_with(cut.trim_end_matches('\u{2026}')) && cut.ends_with('\u{2026}'));
        assert!((190..=210).contains(&cut.len()), "{}", cut.len());
        // Where one asks for the lock itself, it is whole.
        let whole = s.get(&format!("/api/coord/locks/{}", id(first))).expect(200);
        assert_eq!(text(&whole, "description"), why);
        let other = release(s, "M/x", &id(first));
        assert!(other.refused(403).contains("M/0") && other.body.len() < 2_000);
    });
}
