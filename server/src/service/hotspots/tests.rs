use std::sync::atomic::{AtomicU64, Ordering};

use coord_protocol::edge::Rng;

use super::*;
use crate::service::Rules;
use crate::service::ownership::{get, set};
use crate::store::open_in_memory;

/// Ids that differ are all that is needed.
struct Counting(AtomicU64);

impl Rng for Counting {
    fn u64(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// 2 June 2026.
const NOW: Millis = Millis(1_780_401_600_000);

struct World {
    conn: rusqlite::Connection,
    rules: Rules,
    rng: Counting,
}

impl World {
    fn new(name: &str, threshold: u32) -> Self {
        let mut rules = Rules::default();
        rules.team.promotion.threshold = threshold;
        let conn = open_in_memory(name).unwrap();
        Self { conn, rules, rng: Counting(AtomicU64::new(0)) }
    }

    fn tx(&self) -> Tx<'_> {
        Tx::new(&self.conn)
    }

    fn at(&self, now: Millis) -> Cx<'_> {
        Cx::at(now, &self.rules, &self.rng)
    }

    /// A call that is refused for all its patterns.
    fn refused(&self, now: Millis, patterns: &[&str]) {
        let who = Who { session: "s", engineer: Some("amy") };
        for pattern in patterns {
            let resource = Resource::claim(pattern).unwrap();
            let resource = resource.as_str();
            let a = Attempt { project: "", claim: "c", who, pattern, resource };
            note_attempt(&self.tx(), &self.at(now), &a).unwrap();
        }
        after_refusal(&self.tx(), &self.at(now), patterns).unwrap();
    }

    fn document(&self) -> String {
        get(&self.tx()).unwrap().unwrap_or_default()
    }

    /// Details of events, oldest first.
    fn events(&self, kind: &str) -> Vec<Value> {
        let sql = "SELECT detail FROM team_event WHERE event_type = ?1 ORDER BY seq";
        let mut stmt = self.conn.prepare(sql).unwrap();
        let rows = stmt.query_map([kind], |r| r.get::<_, String>(0)).unwrap();
        rows.map(|d| serde_json::from_str(&d.unwrap()).unwrap()).collect()
    }
}

fn later(days: u64) -> Millis {
    NOW.plus(Duration::from_hours(24 * days))
}

#[test]
fn a_hot_file_becomes_shared_once() {
    let w = World::new("promote-once", 2);
    set(&w.tx(), &w.at(NOW), "modules: {m: {paths: [x]}}  # ours\n", None).unwrap();
    w.refused(NOW, &["src/a.ts"]);
    assert!(!w.document().contains("shared_files"));
    // Another spelling is the same file.
    w.refused(NOW, &["./src/a.ts"]);
    let text = "modules: {m: {paths: [x]}}  # ours\nshared_files:\n  - ./src/a.ts  # auto-promoted=2026-06-02\n";
    assert_eq!(w.document(), text);
    w.refused(NOW, &["src/a.ts"]);
    assert_eq!(w.document(), text);
    assert_eq!(
        w.events("auto-promote"),
        [json!({"pattern": "./src/a.ts", "threshold": 2, "window_days": 7, "subtree": false})]
    );
}

#[test]
fn off_is_off() {
    let w = World::new("promote-off", 0);
    w.refused(NOW, &["src/a.ts"]);
    assert_eq!(w.document(), "");
    let w = World::new("promote-provisional", 1);
    let cx = Cx { provisional: true, ..w.at(NOW) };
    w.rules.team.promotion.demote_every.unwrap();
    let a = Attempt {
        project: "",
        claim: "c",
        who: Who { session: "s", engineer: None },
        pattern: "a",
        resource: "**/a",
    };
    note_attempt(&w.tx(), &cx, &a).unwrap();
    after_refusal(&w.tx(), &cx, &["a"]).unwrap();
    assert_eq!(w.document(), "");
}

#[test]
fn files_of_one_folder_become_the_folder() {
    let w = World::new("promote-folder", 1);
    let call = ["src/ui/a.ts", "top.ts", "src/ui/b.ts", "src/x.ts", "src/ui/c.ts", "/README.md"];
    w.refused(NOW, &call);
    assert_eq!(
        w.document(),
        "shared_files:\n  - src/ui/**  # auto-promoted=2026-06-02\n  - top.ts  # auto-promoted=2026-06-02\n  \
         - src/x.ts  # auto-promoted=2026-06-02\n  - /README.md  # auto-promoted=2026-06-02\n"
    );
    let first = &w.events("auto-promote")[0];
    assert_eq!(
        *first,
        json!({"pattern": "src/ui/**", "threshold": 1, "window_days": 7, "subtree": true,
            "source_count": 3, "source_patterns": ["src/ui/a.ts", "src/ui/b.ts", "src/ui/c.ts"]})
    );
    // What lies below it is shared already.
    w.refused(NOW, &["src/ui/d.ts"]);
    assert_eq!(w.events("auto-promote").len(), 4);
}

#[test]
fn what_is_no_pattern_stops_nothing() {
    let w = World::new("promote-bad", 1);
    set(&w.tx(), &w.at(NOW), "x: &l [b]\nshared_files: *l\n", None).unwrap();
    w.refused(NOW, &["src/a.ts"]);
    after_refusal(&w.tx(), &w.at(NOW), &["../x", "[z-a]"]).unwrap();
    assert_eq!(w.document(), "x: &l [b]\nshared_files: *l\n");
    assert!(w.events("auto-promote").is_empty());
}

#[test]
fn what_is_cold_goes_and_what_is_pinned_stays() {
    let w = World::new("demote", 2);
    let text = "shared_files:\n  - src/ui/**  # auto-promoted=2026-06-02\n\n  # a person's\n  - b\n  \
                - c # auto-promoted=2026-06-02 coord-managed=permanent\n  \
                - src/cold.ts  # auto-promoted=2026-06-02\n";
    set(&w.tx(), &w.at(NOW), text, None).unwrap();
    w.refused(NOW, &["src/ui/a.ts", "src/ui/deep/b.ts", "src/cold.ts"]);
    assert_eq!(demote(&w.tx(), &w.at(later(1))).unwrap(), 1);
    assert_eq!(w.document(), text.replace("  - src/cold.ts  # auto-promoted=2026-06-02\n", ""));
    assert_eq!(
        w.events("auto-demote"),
        [
            json!({"pattern": "src/cold.ts", "count_in_window": 1, "threshold": 2, "window_days": 14})
        ]
    );
    assert_eq!(demote(&w.tx(), &w.at(later(1))).unwrap(), 0);
    // After the window the folder is cold, too.
    assert_eq!(demote(&w.tx(), &w.at(later(15))).unwrap(), 1);
    assert_eq!(
        w.document(),
        "shared_files:\n\n  # a person's\n  - b\n  - c # auto-promoted=2026-06-02 coord-managed=permanent\n"
    );
}

#[test]
fn nothing_is_taken_out_while_that_is_off() {
    let mut w = World::new("demote-off", 1);
    let text = "shared_files:\n  - a  # auto-promoted=2026-06-02\n";
    set(&w.tx(), &w.at(NOW), text, None).unwrap();
    w.rules.team.promotion.demote_every = None;
    assert_eq!(demote(&w.tx(), &w.at(later(30))).unwrap(), 0);
    w.rules = Rules::default();
    assert_eq!(demote(&w.tx(), &w.at(later(30))).unwrap(), 0);
    assert_eq!(w.document(), text);
}

#[test]
fn old_attempts_are_forgotten() {
    let w = World::new("forget", 0);
    w.refused(NOW, &["a"]);
    w.refused(later(1), &["b"]);
    assert_eq!(forget_old_attempts(&w.tx(), later(90)).unwrap(), 0);
    assert_eq!(forget_old_attempts(&w.tx(), later(91)).unwrap(), 1);
    let spots = hot_spots(&w.tx(), later(2), 90, 1, None, 10).unwrap();
    assert_eq!(spots.iter().map(|h| h.pattern.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn what_was_resolved_by_day() {
    let w = World::new("resolved", 0);
    for (day, project, kind) in [
        (0, "p", events::AUTO_COEXIST),
        (0, "p", events::AUTO_NARROW),
        (0, "p", events::AUTO_NARROW),
        (1, "p", events::AUTO_COEXIST),
        (1, "", events::AUTO_COEXIST),
        (1, "p", events::AUTO_PROMOTE),
    ] {
        let about = About { project, ..About::default() };
        events::record(&w.tx(), &w.at(later(day)), kind, about, None, &json!({})).unwrap();
    }
    let series = |days, project| {
        let found = auto_resolutions(&w.tx(), later(1), days, project).unwrap();
        let row = |r: ResolvedOn| (r.project_key, r.day, r.coexist, r.narrow);
        found.rows.into_iter().map(row).collect::<Vec<_>>()
    };
    let row = |project: &str, day: &str, c, n| (project.to_owned(), day.to_owned(), c, n);
    assert_eq!(
        series(30, None),
        [row("", "2026-06-03", 1, 0), row("p", "2026-06-02", 1, 2), row("p", "2026-06-03", 1, 0)]
    );
    assert_eq!(series(30, Some("p")).len(), 2);
    // A day is 24 hours back from now.
    assert_eq!(series(1, Some("p")).len(), 2);
    let none = auto_resolutions(&w.tx(), later(40), 1, None).unwrap();
    assert!(none.rows.is_empty() && !none.more);
}
