//! What who watches the server is told, in the format of Prometheus and otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::Duration;

use coord_tests::raw::Ask;
use coord_tests::server::{Setup, TestServer, eventually, faces, on_each_face};
use serde_json::json;

use super::shorthand::claim;

/// Samples by name with labels, and the kinds of the metrics.
struct Metrics {
    samples: BTreeMap<String, String>,
    kinds: BTreeMap<String, String>,
}

impl Metrics {
    #[track_caller]
    fn of(s: &TestServer) -> Self {
        let answer = s.get("/metrics");
        assert_eq!(answer.status, 200);
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
        Self::parse(&answer.text())
    }

    /// Reads the text format, version 0.0.4; whatever the format does not allow fails the test.
    #[track_caller]
    fn parse(text: &str) -> Self {
        let mut all = Self { samples: BTreeMap::new(), kinds: BTreeMap::new() };
        let (mut helped, mut current) = (BTreeSet::new(), String::new());
        assert!(text.ends_with('\n'), "the last line must end");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let name = help.split_once(' ').expect("a help text").0;
                assert!(helped.insert(name.to_owned()), "helped twice: {line}");
                current = name.to_owned();
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type");
                assert_eq!(name, current, "the type follows its help");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                let before = all.kinds.insert(name.to_owned(), kind.to_owned());
                assert!(before.is_none(), "typed twice: {line}");
            } else {
                all.sample(line, &current);
            }
        }
        all.histograms_add_up();
        all
    }

    #[track_caller]
    fn sample(&mut self, line: &str, current: &str) {
        let (key, value) = line.rsplit_once(' ').expect("a sample has a value");
        let number: f64 = value.parse().expect("a value is a number");
        assert!(number >= 0.0 && number.is_finite(), "{line}");
        let name = match key.split_once('{') {
            None => key,
            Some((name, labels)) => {
                let labels = labels.strip_suffix('}').expect("labels end");
                check_labels(labels);
                name
            }
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        assert!(name.chars().all(legal) && !name.starts_with(|c: char| c.is_ascii_digit()));
        let histogram = self.kinds.get(current).is_some_and(|k| k == "histogram");
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|s| name.strip_suffix(s));
        let family = family.filter(|_| histogram).unwrap_or(name);
        assert_eq!(family, current, "a sample stands with its metric: {line}");
        assert!(self.samples.insert(key.to_owned(), value.to_owned()).is_none(), "twice: {line}");
    }

    fn histograms_add_up(&self) {
        let name = "coord_http_request_duration_seconds";
        assert_eq!(self.kinds[name], "histogram");
        for class in ["read", "write", "stream", "wait", "probe", "none"] {
            let prefix = format!("{name}_bucket{{class=\"{class}\",le=\"");
            let mut buckets: Vec<(f64, u64)> = self
                .samples
                .iter()
                .filter_map(|(k, v)| {
                    let le = k.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                    Some((le.parse().expect("a bound is a number or +Inf"), whole(v)))
                })
                .collect();
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.len() > 3 && buckets.is_sorted_by(|a, b| a.1 <= b.1), "{buckets:?}");
            let (last, count) = *buckets.last().unwrap();
            assert!(last.is_infinite());
            assert_eq!(count, self.value(&format!("{name}_count{{class=\"{class}\"}}")));
            assert!(self.samples.contains_key(&format!("{name}_sum{{class=\"{class}\"}}")));
        }
    }

    #[track_caller]
    fn value(&self, key: &str) -> u64 {
        whole(self.samples.get(key).unwrap_or_else(|| panic!("no {key} in {:#?}", self.samples)))
    }

    fn requests(&self, method: &str, path: &str, status: u16) -> u64 {
        let key = format!(
            "http_requests_total{{method=\"{method}\",path=\"{path}\",status=\"{status}\"}}"
        );
        self.samples.get(&key).map_or(0, |v| whole(v))
    }

    fn series(&self, name: &str) -> usize {
        let prefix = format!("{name}{{");
        self.samples.keys().filter(|k| k.starts_with(&prefix)).count()
    }
}

/// A count; it stands there as a float.
#[track_caller]
fn whole(value: &str) -> u64 {
    let digits = value.strip_suffix(".0").expect("a count is a whole number");
    digits.parse().expect("a count is a whole number")
}

#[track_caller]
fn check_labels(labels: &str) {
    let mut names = BTreeSet::new();
    for pair in labels.split("\",") {
        let (name, value) = pair.split_once("=\"").expect("a label has a quoted value");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{labels}");
        let value = value.trim_end_matches('"');
        assert!(!value.contains(['"', '\\', '\n']), "needs an escape: {labels}");
        assert!(names.insert(name), "a label twice: {labels}");
    }
}

#[test]
fn requests_are_counted_by_route_method_and_status() {
    on_each_face(|s| {
        s.get("/health").expect(200);
        s.get("/api/coord/locks/nobody-1").refused(404);
        s.get("/api/coord/locks/nobody-2").refused(404);
        s.ask(Ask::new("PATCH", "/api/coord/locks")).refused(405);
        claim(s, "M/a", "x").expect(201);
        claim(s, "M/b", "x").refused(409);
        s.ask(Ask::new("POST", "/api/coord/locks").body("{")).refused(400);
        let m = Metrics::of(s);
        assert_eq!(m.requests("GET", "/health", 200), 1);
        assert_eq!(m.requests("GET", "/api/coord/locks/{id}", 404), 2);
        assert_eq!(m.requests("PATCH", "/api/coord/locks", 405), 1);
        for status in [201, 409, 400] {
            assert_eq!(m.requests("POST", "/api/coord/locks", status), 1, "{status}");
        }
        assert_eq!(m.value(concat!("build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}")), 1);
        assert_eq!(m.value("coord_database_up"), 1);
        assert_eq!(m.value("coord_http_request_duration_seconds_count{class=\"write\"}"), 3);
        assert_eq!(m.value("coord_http_request_duration_seconds_count{class=\"none\"}"), 1);
        assert_eq!(Metrics::of(s).requests("GET", "/metrics", 200), 1);
        for (name, kind) in [
            ("claims_created_total", "counter"),
            ("claims_conflicts_total", "counter"),
            ("claims_released_total", "counter"),
            ("auth_failures_total", "counter"),
            ("http_requests_total", "counter"),
            ("build_info", "gauge"),
            ("coord_parked_calls", "gauge"),
        ] {
            assert_eq!(m.kinds[name], kind, "{name}");
        }
    });
}

#[test]
fn callers_make_no_labels() {
    on_each_face(|s| {
        let before = Metrics::of(s).series("http_requests_total");
        let mut conn = s.conn();
        for n in 0..200 {
            let ask = Ask::new("GET", &format!("/nowhere/{n}\"\\{n}?x={n}"));
            conn.ask(&ask).unwrap().refused(404);
        }
        for method in ["BREW", "PROPFIND", "X-\u{7e}"] {
            s.ask(Ask::new(method, "/nowhere")).refused(404);
        }
        let m = Metrics::of(s);
        assert_eq!(m.requests("GET", "unknown", 404), 200);
        assert_eq!(m.requests("other", "unknown", 404), 3);
        // These two, and the look itself.
        assert!(m.series("http_requests_total") <= before + 3, "{:#?}", m.samples);
    });
}

#[test]
fn bodies_that_are_too_large_are_counted_too() {
    on_each_face(|s| {
        let body = vec![b' '; 2 << 20];
        s.ask(Ask::new("POST", "/api/coord/locks").body(body)).refused(413);
        assert_eq!(Metrics::of(s).requests("POST", "/api/coord/locks", 413), 1);
    });
}

#[test]
fn wrong_tokens_are_counted_and_none_is_needed_here() {
    for face in faces() {
        let s = Setup::new(face)
            .env("COORD_ALLOW_INSECURE_NO_AUTH", "")
            .env("COORD_AUTH_TOKEN", "s3cret-t0ken")
            .start();
        s.get("/api/coord/status").refused(401);
        s.ask(Ask::new("GET", "/nowhere").header("Authorization", "Bearer x")).refused(401);
        let m = Metrics::of(&s);
        assert_eq!(m.value("auth_failures_total"), 2);
        assert_eq!(m.requests("GET", "/api/coord/status", 401), 1);
        assert_eq!(m.requests("GET", "unknown", 401), 1);
        assert_eq!(
            s.get("/meta").expect(200),
            json!({"name": "multi-agent-coordination", "version": env!("CARGO_PKG_VERSION"),
                "auth_mode": "bearer", "repo_root_configured": false})
        );
        let ready = json!({"status": "ready", "version": env!("CARGO_PKG_VERSION"),
            "auth_mode": "bearer"});
        assert_eq!(s.get("/readyz").expect(200), ready);
    }
}

#[test]
fn without_a_token_the_mode_says_so() {
    on_each_face(|s| {
        for path in ["/meta", "/readyz"] {
            assert_eq!(s.get(path).expect(200)["auth_mode"], "insecure-no-auth");
        }
        s.ask(Ask::new("POST", "/meta")).refused(405);
    });
}

#[test]
fn gauges_say_what_there_is_now() {
    on_each_face(|s| {
        let m = Metrics::of(s);
        assert_eq!((m.value("coord_claims_active"), m.value("coord_queue_waiting")), (0, 0));
        claim(s, "M/a", "x").expect(201);
        claim(s, "M/a", "y").expect(201);
        assert_eq!(Metrics::of(s).value("coord_claims_active"), 2);
        s.delete("/api/coord/locks?session_id=M/a&release_all=true").expect(200);
        let m = Metrics::of(s);
        assert_eq!(m.value("coord_claims_active"), 0);
        assert_eq!(m.value("coord_parked_calls"), 0);
        for state in ["pending", "failed", "delivered", "exhausted"] {
            assert_eq!(m.value(&format!("coord_webhook_outbox{{state=\"{state}\"}}")), 0);
        }
    });
}

/// Asks for a team claim, and waits for it when told how long.
fn team_claim(engineer: &str, wait_seconds: Option<u32>) -> Ask {
    let body = json!({"engineer": engineer, "repo": "o/r", "session_id": format!("{engineer}/1"),
        "wait_seconds": wait_seconds, "claims": [{"type": "file", "pattern": "src/x.rs"}]});
    Ask::new("POST", "/claims").json(&body)
}

#[test]
fn claims_are_counted_when_they_are_committed() {
    on_each_face(|s| {
        let granted = s.ask(team_claim("alice", None)).expect(200);
        s.ask(team_claim("bob", None)).expect(409);
        let m = Metrics::of(s);
        assert_eq!(m.value("claims_created_total{severity=\"soft\"}"), 1);
        assert_eq!(m.value("claims_created_total{severity=\"hard\"}"), 0);
        assert_eq!(m.value("claims_conflicts_total"), 1);
        assert_eq!(m.value("claims_released_total"), 0);
        let ids = json!({"claim_ids": granted["claim_ids"]});
        s.post("/claims/release", &ids).expect(200);
        s.post("/claims/release", &ids).expect(200);
        let m = Metrics::of(s);
        assert_eq!(m.value("claims_released_total"), 1);
        assert_eq!(m.requests("POST", "/claims", 200), 1);
        assert_eq!(m.requests("POST", "/claims", 409), 1);
    });
}

#[test]
fn who_waits_is_counted_as_waiting_and_then_with_the_answer() {
    on_each_face(|s| {
        let granted = s.ask(team_claim("alice", None)).expect(200);
        let waits = |n| {
            eventually(Duration::from_secs(5), "the gauges follow", || {
                let m = Metrics::of(s);
                (m.value("coord_parked_calls"), m.value("coord_queue_waiting")) == (n, n)
            });
        };
        thread::scope(|scope| {
            let bob = scope.spawn(|| s.ask(team_claim("bob", Some(60))));
            waits(1);
            // It is not answered yet.
            assert_eq!(Metrics::of(s).requests("POST", "/claims", 200), 1);
            s.post("/claims/release", &json!({"claim_ids": granted["claim_ids"]})).expect(200);
            bob.join().unwrap().expect(200);
        });
        waits(0);
        let m = Metrics::of(s);
        assert_eq!(m.requests("POST", "/claims", 200), 2);
        assert_eq!(m.value("claims_created_total{severity=\"soft\"}"), 2);
        let count = |class| {
            m.value(&format!("coord_http_request_duration_seconds_count{{class=\"{class}\"}}"))
        };
        assert_eq!((count("wait"), count("write")), (1, 2));
    });
}

#[test]
fn who_hangs_up_does_not_wait_any_more() {
    let s = TestServer::start("axum");
    s.ask(team_claim("alice", None)).expect(200);
    let parked = || Metrics::of(&s).value("coord_parked_calls");
    let mut conn = s.conn();
    conn.send(&team_claim("bob", Some(60)).bytes("localhost")).unwrap();
    eventually(Duration::from_secs(5), "it waits", || parked() == 1);
    drop(conn);
    eventually(Duration::from_secs(5), "it is gone", || parked() == 0);
    let m = Metrics::of(&s);
    assert_eq!(m.requests("POST", "/claims", 200), 1);
    assert_eq!(m.value("coord_http_request_duration_seconds_count{class=\"wait\"}"), 0);
}

#[test]
fn counters_are_there_while_the_database_is_away() {
    on_each_face(|s| {
        let aside = s.dir().join("aside.db");
        fs::rename(s.database(), &aside).unwrap();
        let m = Metrics::of(s);
        assert_eq!(m.value("coord_database_up"), 0);
        assert!(!m.kinds.contains_key("coord_claims_active"));
        s.get("/readyz").expect(503);
        fs::rename(&aside, s.database()).unwrap();
        assert_eq!(Metrics::of(s).value("coord_database_up"), 1);
        assert_eq!(s.get("/readyz").expect(200)["status"], "ready");
    });
}
