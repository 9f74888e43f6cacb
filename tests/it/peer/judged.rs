//! The server under test.

use std::net::SocketAddr;

use coord_tests::peer::{self, Service, TOKEN};
use coord_tests::raw::{Answer, Ask, Conn};
use coord_tests::server::{Setup, TestServer, faces};
use serde_json::{Value, json};

/// Ours, or for judging the tests the other one.
pub(super) enum Judged {
    /// Our server.
    Ours(TestServer),
    /// The service of `coord-mcp-server`.
    Theirs(Service),
}

impl Judged {
    /// With a token, on a new database. `None` when the other one is asked for and not there.
    pub(super) fn start(test: &str) -> Option<Self> {
        if std::env::var_os("COORD_JUDGED").is_some_and(|v| v == "peer") {
            return Some(Self::Theirs(Service::start(&peer::programs(test)?, &[])));
        }
        Some(Self::ours("axum"))
    }

    /// Ours with this face.
    fn ours(face: &str) -> Self {
        let setup = Setup::new(face).env("COORD_ALLOW_INSECURE_NO_AUTH", "");
        Self::Ours(setup.env("COORD_AUTH_TOKEN", TOKEN).start())
    }

    /// Whether what the other one does wrong must be right.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }

    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Ours(s) => s.address(),
            Self::Theirs(s) => s.address(),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Without a token.
    #[track_caller]
    pub(super) fn ask_bare(&self, ask: Ask) -> Answer {
        Conn::open(self.address()).unwrap().ask(&ask.closing()).unwrap()
    }

    #[track_caller]
    pub(super) fn ask(&self, ask: Ask) -> Answer {
        self.ask_bare(with_token(ask))
    }

    #[track_caller]
    pub(super) fn get(&self, target: &str) -> Answer {
        self.ask(Ask::new("GET", target))
    }

    #[track_caller]
    pub(super) fn delete(&self, target: &str) -> Answer {
        self.ask(Ask::new("DELETE", target))
    }

    #[track_caller]
    pub(super) fn post(&self, target: &str, body: &Value) -> Answer {
        self.ask(Ask::new("POST", target).json(body))
    }

    /// `POST /claims` of one whole file; the session is named after the engineer.
    #[track_caller]
    pub(super) fn claim(&self, engineer: &str, pattern: &str) -> Answer {
        self.post("/claims", &claim_of(engineer, pattern))
    }

    /// The same, granted; its id.
    #[track_caller]
    pub(super) fn claimed(&self, engineer: &str, pattern: &str) -> String {
        text(&self.claim(engineer, pattern).expect(200)["claim_ids"][0])
    }

    /// The active claims of an engineer.
    #[track_caller]
    pub(super) fn claims_of(&self, engineer: &str) -> Vec<Value> {
        rows(&self.get(&format!("/claims?engineer={engineer}")).expect(200), "claims")
    }
}

/// Runs a check on a fresh server of each face.
pub(super) fn on_each(test: &str, check: impl Fn(&Judged)) {
    match Judged::start(test) {
        None => {}
        Some(theirs @ Judged::Theirs(_)) => check(&theirs),
        Some(first @ Judged::Ours(_)) => {
            check(&first);
            for face in &faces()[1..] {
                check(&Judged::ours(face));
            }
        }
    }
}

/// A claim of one whole file, without a repository.
pub(super) fn claim_of(engineer: &str, pattern: &str) -> Value {
    json!({"engineer": engineer, "session_id": format!("s-{engineer}"),
        "claims": [{"type": "file", "pattern": pattern}]})
}

pub(super) fn with_token(ask: Ask) -> Ask {
    ask.header("Authorization", &format!("Bearer {TOKEN}"))
}

/// A text that must be one and hold something.
#[track_caller]
pub(super) fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    assert!(!text.is_empty(), "no text: {value}");
    text.to_owned()
}

/// The list under `name`, which `count` must agree with where there is one.
#[track_caller]
pub(super) fn rows(body: &Value, name: &str) -> Vec<Value> {
    let rows = body[name].as_array().unwrap_or_else(|| panic!("no list {name}: {body}"));
    if let Some(count) = body.get("count") {
        assert_eq!(count, rows.len(), "{body}");
    }
    rows.clone()
}

/// The names of an object, sorted.
#[track_caller]
pub(super) fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
