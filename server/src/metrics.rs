//! What the server counts about itself, as Prometheus reads it (peer's section 12, and what is missing
//! there). Counting is a few additions to atomic numbers in tables that are made at the start; labels
//! come from the table of routes and from fixed lists, never from a caller.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::api::{Handler, Route};
use crate::store::Counts;

/// The text format that is spoken.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const OTHER: &str = "other";
/// Path of requests that have no route.
const UNKNOWN: &str = "unknown";
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// In order; what is not among them counts as other.
const STATUSES: [u16; 21] = [
    200, 201, 204, 400, 401, 403, 404, 405, 408, 409, 410, 411, 413, 415, 421, 422, 429, 500, 501,
    503, 504,
];
/// Upper bounds of durations: microseconds, and how they are written in seconds.
const BOUNDS: [(u64, &str); 7] = [
    (1_000, "0.001"),
    (5_000, "0.005"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (500_000, "0.5"),
    (2_500_000, "2.5"),
    (15_000_000, "15.0"),
];

/// What kind of work a request is; durations are counted for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Read,
    Write,
    Stream,
    /// Was parked until there was an answer.
    Wait,
    Probe,
    /// There is no such route, or not with this method.
    None,
}

const CLASSES: [(Class, &str); 6] = [
    (Class::Read, "read"),
    (Class::Write, "write"),
    (Class::Stream, "stream"),
    (Class::Wait, "wait"),
    (Class::Probe, "probe"),
    (Class::None, "none"),
];

/// A request that is being worked on.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    began: Instant,
    /// Place of its method and path in the table of requests.
    place: usize,
    class: usize,
}

#[derive(Default)]
struct Durations {
    /// How many ended within each bound and beyond the one before; the last: beyond all.
    within: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// Everything that is counted.
pub struct Counters {
    created: [AtomicU64; 2],
    conflicts: AtomicU64,
    released: AtomicU64,
    auth_failures: AtomicU64,
    parked: AtomicI64,
    /// Templates of paths, each once; the last: unknown.
    paths: Vec<&'static str>,
    /// Of each route: its path, its method and its class.
    routes: Vec<(usize, &'static str, Class)>,
    /// By path, method, status.
    requests: Vec<AtomicU64>,
    durations: [Durations; CLASSES.len()],
}

impl Counters {
    /// Tables for these routes.
    pub fn new(table: &'static [Route]) -> Self {
        let mut paths: Vec<&'static str> = Vec::new();
        let mut routes = Vec::with_capacity(table.len());
        for route in table {
            let known = paths.iter().position(|p| *p == route.path);
            let path = known.unwrap_or(paths.len());
            if known.is_none() {
                paths.push(route.path);
            }
            routes.push((path, route.method, class_of(&route.handler)));
        }
        paths.push(UNKNOWN);
        let cells = paths.len() * (METHODS.len() + 1) * (STATUSES.len() + 1);
        Self {
            created: Default::default(),
            conflicts: AtomicU64::default(),
            released: AtomicU64::default(),
            auth_failures: AtomicU64::default(),
            parked: AtomicI64::default(),
            paths,
            routes,
            requests: (0..cells).map(|_| AtomicU64::default()).collect(),
            durations: Default::default(),
        }
    }

    /// A request begins. `route` is its place in the table of routes; of a path without this method: the
    /// place of any route with the path.
    pub fn asked(&self, method: &str, route: Option<usize>) -> Asked {
        let (path, class) = match route.and_then(|r| self.routes.get(r)) {
            Some((path, of, class)) if *of == method || (*of, method) == ("GET", "HEAD") => {
                (*path, *class)
            }
            Some((path, ..)) => (*path, Class::None),
            None => (self.paths.len() - 1, Class::None),
        };
        let method = METHODS.iter().position(|m| *m == method).unwrap_or(METHODS.len());
        let place = path * (METHODS.len() + 1) + method;
        Asked { began: Instant::now(), place, class: place_of(class) }
    }

    /// It was answered so.
    pub fn answered(&self, asked: Asked, status: u16) {
        let cell = STATUSES.binary_search(&status).unwrap_or(STATUSES.len());
        self.requests[asked.place * (STATUSES.len() + 1) + cell].fetch_add(1, Relaxed);
        if status == 401 {
            self.auth_failures.fetch_add(1, Relaxed);
        }
        self.durations[asked.class].add(asked.began.elapsed());
    }

    /// What the rules counted, now that it is committed.
    pub fn add(&self, counts: Counts) {
        for (sum, n) in self.created.iter().zip(counts.created) {
            sum.fetch_add(n, Relaxed);
        }
        self.conflicts.fetch_add(counts.conflicts, Relaxed);
        self.released.fetch_add(counts.released, Relaxed);
    }

    /// All of it as text. `gauges` is text in the same format of what the database knows; `None` while it
    /// is away.
    pub fn text(&self, gauges: Option<&str>) -> String {
        let mut out = Text::default();
        out.head("claims_created_total", "counter", "Claims granted.");
        for (severity, n) in ["soft", "hard"].iter().zip(&self.created) {
            out.line("claims_created_total", &[("severity", severity)], n.load(Relaxed));
        }
        for (name, help, n) in [
            ("claims_conflicts_total", "Holders in the way of refused claims.", &self.conflicts),
            ("claims_released_total", "Claims given back.", &self.released),
            ("auth_failures_total", "Requests without the token.", &self.auth_failures),
        ] {
            out.head(name, "counter", help);
            out.line(name, &[], n.load(Relaxed));
        }
        self.requests_text(&mut out);
        self.durations_text(&mut out);
        out.head("build_info", "gauge", "The program.");
        out.line("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        out.head("coord_parked_calls", "gauge", "Calls that wait without a thread.");
        out.line("coord_parked_calls", &[], self.parked.load(Relaxed));
        out.head("coord_database_up", "gauge", "Whether the database answers.");
        out.line("coord_database_up", &[], u8::from(gauges.is_some()));
        out.0 + gauges.unwrap_or_default()
    }

    fn requests_text(&self, out: &mut Text) {
        let name = "http_requests_total";
        out.head(name, "counter", "Requests answered.");
        let labels = self.paths.iter().flat_map(|path| {
            let methods = METHODS.iter().copied().chain([OTHER]);
            methods.map(move |method| (*path, method))
        });
        for ((path, method), cells) in labels.zip(self.requests.chunks(STATUSES.len() + 1)) {
            for (at, n) in cells.iter().enumerate() {
                let n = n.load(Relaxed);
                if n > 0 {
                    let status = STATUSES.get(at).map_or(OTHER.to_owned(), u16::to_string);
                    let labels = [("method", method), ("path", path), ("status", &status)];
                    out.line(name, &labels, n);
                }
            }
        }
    }

    fn durations_text(&self, out: &mut Text) {
        let name = "coord_http_request_duration_seconds";
        out.head(name, "histogram", "From the request to its answer, by kind of work.");
        for ((_, class), d) in CLASSES.iter().zip(&self.durations) {
            let bounds = BOUNDS.iter().map(|(_, text)| *text).chain(["+Inf"]);
            let mut sum = 0;
            for (le, n) in bounds.zip(&d.within) {
                sum += n.load(Relaxed);
                out.line(&format!("{name}_bucket"), &[("class", class), ("le", le)], sum);
            }
            let micros = d.micros.load(Relaxed);
            let seconds = format_args!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            out.value(&format!("{name}_sum"), &[("class", class)], seconds);
            out.line(&format!("{name}_count"), &[("class", class)], sum);
        }
    }
}

/// A call that waits without a thread; until this is dropped.
pub struct Waiting {
    counters: Arc<Counters>,
    asked: Asked,
}

impl Waiting {
    /// From now on.
    pub fn new(counters: &Arc<Counters>, asked: Asked) -> Self {
        counters.parked.fetch_add(1, Relaxed);
        let asked = Asked { class: place_of(Class::Wait), ..asked };
        Self { counters: Arc::clone(counters), asked }
    }

    /// Counts its answer, by status.
    pub fn tally(&self) -> impl FnOnce(u16) + Send + use<> {
        let (counters, asked) = (Arc::clone(&self.counters), self.asked);
        move |status| counters.answered(asked, status)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.counters.parked.fetch_sub(1, Relaxed);
    }
}

impl Durations {
    fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.iter().position(|(b, _)| micros <= *b).unwrap_or(BOUNDS.len());
        self.within[at].fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
    }
}

fn class_of(handler: &Handler) -> Class {
    match handler {
        Handler::Read(_) => Class::Read,
        Handler::Write(_) | Handler::Park { .. } => Class::Write,
        Handler::Stream(_) => Class::Stream,
        Handler::Health
        | Handler::Ready
        | Handler::Meta
        | Handler::Metrics(_)
        | Handler::Description => Class::Probe,
    }
}

fn place_of(class: Class) -> usize {
    CLASSES.iter().position(|(c, _)| *c == class).unwrap_or(0)
}

/// Text in the format of Prometheus.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// What a metric is; its lines follow.
    pub fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A whole number. Label values must need no escape: they are ours.
    pub fn line(&mut self, name: &str, labels: &[(&str, &str)], n: impl fmt::Display) {
        self.value(name, labels, format_args!("{n}.0"));
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: fmt::Arguments<'_>) {
        self.0.push_str(name);
        for (at, (label, of)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{of}\"");
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{after} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes;

    fn place(method: &str, path: &str) -> Option<usize> {
        routes().iter().position(|r| r.method == method && r.path == path)
    }

    #[test]
    fn requests_are_counted_by_route() {
        let c = Counters::new(routes());
        for (method, route, status) in [
            ("GET", place("GET", "/health"), 200),
            ("HEAD", place("GET", "/health"), 200),
            ("GET", place("GET", "/api/coord/locks/{id}"), 404),
            ("PUT", place("GET", "/api/coord/locks/{id}"), 405),
            ("BREW", None, 418),
            ("GET", None, 404),
            ("GET", None, 404),
            ("POST", place("POST", "/api/coord/locks"), 401),
        ] {
            c.answered(c.asked(method, route), status);
        }
        let text = c.text(None);
        for line in [
            "http_requests_total{method=\"GET\",path=\"/health\",status=\"200\"} 1.0",
            "http_requests_total{method=\"HEAD\",path=\"/health\",status=\"200\"} 1.0",
            "http_requests_total{method=\"GET\",path=\"/api/coord/locks/{id}\",status=\"404\"} 1.0",
            "http_requests_total{method=\"other\",path=\"unknown\",status=\"other\"} 1.0",
            "http_requests_total{method=\"GET\",path=\"unknown\",status=\"404\"} 2.0",
            "http_requests_total{method=\"POST\",path=\"/api/coord/locks\",status=\"401\"} 1.0",
            "auth_failures_total 1.0",
            "coord_http_request_duration_seconds_count{class=\"probe\"} 2.0",
            "coord_http_request_duration_seconds_count{class=\"none\"} 4.0",
            "coord_http_request_duration_seconds_bucket{class=\"write\",le=\"+Inf\"} 1.0",
            "coord_database_up 0.0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert_eq!(text.matches("\nhttp_requests_total{").count(), 7);
    }

    #[test]
    fn claims_and_parked_calls() {
        let c = Arc::new(Counters::new(routes()));
        c.add(Counts { created: [2, 1], conflicts: 2, released: 3 });
        c.add(Counts { created: [1, 0], conflicts: 0, released: 1 });
        let post = place("POST", "/claims");
        let one = Waiting::new(&c, c.asked("POST", post));
        let two = Waiting::new(&c, c.asked("POST", post));
        one.tally()(200);
        drop(two);
        let text = c.text(Some("x 1\n"));
        for line in [
            "claims_created_total{severity=\"soft\"} 3.0",
            "claims_created_total{severity=\"hard\"} 1.0",
            "claims_conflicts_total 2.0",
            "claims_released_total 4.0",
            "coord_parked_calls 1.0",
            "http_requests_total{method=\"POST\",path=\"/claims\",status=\"200\"} 1.0",
            "coord_http_request_duration_seconds_count{class=\"wait\"} 1.0",
            "coord_http_request_duration_seconds_count{class=\"write\"} 0.0",
            "coord_database_up 1.0",
            "x 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn durations_fall_into_their_buckets() {
        let d = Durations::default();
        for micros in [0, 1_000, 1_001, 2_500_000, 15_000_001, u64::MAX / 4] {
            d.add(Duration::from_micros(micros));
        }
        let within: Vec<u64> = d.within.iter().map(|n| n.load(Relaxed)).collect();
        assert_eq!(within, [2, 1, 0, 0, 0, 1, 0, 2]);
        assert!(STATUSES.is_sorted() && BOUNDS.is_sorted());
    }

    #[test]
    fn counting_is_cheap() {
        let c = Counters::new(routes());
        let route = place("POST", "/api/coord/locks");
        let began = Instant::now();
        for _ in 0..100_000 {
            c.answered(c.asked("POST", route), 201);
        }
        eprintln!("{} ns a request", began.elapsed().as_nanos() / 100_000);
        // Measured far below a microsecond each; a lock or a text made per request would be more.
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}
