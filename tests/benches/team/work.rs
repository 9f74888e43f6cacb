//! What is asked.

use coord_tests::peer::TOKEN;
use coord_tests::raw::Ask;
use serde_json::{Value, json};

/// Folders over which the files are spread.
const FOLDERS: usize = 40;

/// A kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// A claim on one free file.
    Claim,
    /// Whether one free file is free.
    Look,
    /// All live claims.
    List,
}

impl Work {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Claim => "POST /claims",
            Self::Look => "GET /conflicts",
            Self::List => "GET /claims",
        }
    }

    /// The question of one engineer about the file `n`.
    pub(crate) fn ask(self, engineer: usize, n: usize) -> Ask {
        match self {
            Self::Claim => post("/claims", &claims(&format!("e{engineer}"), n..n + 1)),
            Self::Look => get(&format!("/conflicts?pattern={}&engineer=e{engineer}", file(n))),
            Self::List => get("/claims"),
        }
    }
}

/// The file `n`: `src/m12/f345.ts`.
fn file(n: usize) -> String {
    format!("src/m{}/f{}.ts", n % FOLDERS, n / FOLDERS)
}

/// Claims of one engineer on these files.
pub(crate) fn claims(engineer: &str, files: std::ops::Range<usize>) -> Value {
    let claims: Vec<Value> = files.map(|n| json!({"type": "file", "pattern": file(n)})).collect();
    json!({"engineer": engineer, "session_id": format!("s-{engineer}"), "repo": null,
        "ttl_hours": 4, "claims": claims})
}

pub(crate) fn post(target: &str, body: &Value) -> Ask {
    with_token(Ask::new("POST", target).json(body))
}

fn get(target: &str) -> Ask {
    with_token(Ask::new("GET", target))
}

fn with_token(ask: Ask) -> Ask {
    ask.header("Authorization", &format!("Bearer {TOKEN}"))
}
