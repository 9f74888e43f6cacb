//! The other's pre-push hook, as its `coord init` writes it, against our server.

use std::fs;
use std::process::Output;

use coord_tests::peer::{self, TOKEN};
use coord_tests::raw::Ask;
use coord_tests::workstation::has_tool;
use serde_json::json;

use super::commands::{Repository, succeeds, told};
use super::judged::{Judged, with_token};

const TEST: &str = "peer::pushing";

impl Repository {
    /// A bare repository beside it, as `origin`.
    fn with_origin(self) -> Self {
        let origin = self.path().with_file_name("origin.git");
        let origin = origin.to_str().unwrap();
        self.git(&["init", "--quiet", "--bare", origin]);
        self.git(&["remote", "add", "origin", origin]);
        self
    }

    #[track_caller]
    fn commit(&self, files: &[&str]) {
        for file in files {
            let path = self.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let old = fs::read_to_string(&path).unwrap_or_default();
            fs::write(&path, format!("{old}x\n")).unwrap();
            self.git(&["add", file]);
        }
        self.git(&["commit", "--quiet", "-m", "work"]);
    }

    fn push(&self) -> Output {
        self.try_git(&["push", "--quiet", "origin", "main"]).output().unwrap()
    }

    #[track_caller]
    fn pushes(&self) {
        succeeds(&mut self.try_git(&["push", "--quiet", "origin", "main"]));
    }

    #[track_caller]
    fn push_is_refused_for(&self, file: &str, why: &str) {
        let pushed = self.push();
        assert!(!pushed.status.success(), "the push went through");
        let told = told(&pushed);
        assert!(told.contains(&format!("{why} for {file}")), "{told}");
    }
}

/// The repository whose claims the hook asks for, as `coord init` named it.
fn repo_id(repository: &Repository) -> String {
    let env = fs::read_to_string(repository.path().join(".coordination/local.env")).unwrap();
    let id = env.lines().find_map(|l| l.strip_prefix("COORD_REPO_ID=")).unwrap();
    id.trim_matches('"').to_owned()
}

#[test]
fn a_foreign_claim_stops_a_push() {
    if ["git", "curl", "jq", "bash"].iter().any(|tool| !has_tool(TEST, tool)) {
        return;
    }
    let Some(programs) = peer::programs(TEST) else { return };
    let Some(s) = Judged::start(TEST) else { return };
    let repository = Repository::of("alice", &s, &programs).with_origin();
    let repo = repo_id(&repository);
    let claim = |engineer: &str, repo: &str, pattern: &str| {
        let claims = json!([{"type": "file", "pattern": pattern}]);
        let body = json!({"engineer": engineer, "repo": repo, "claims": claims});
        s.post("/claims", &body).expect(200)["claim_ids"][0].as_str().unwrap().to_owned()
    };
    repository.commit(&["src/a.ts", "src/with blank & ümlaut.ts"]);
    repository.pushes();
    // Claims of oneself, on other files and of other repositories do not matter.
    claim("alice", &repo, "src/a.ts");
    claim("bob", &repo, "docs/**");
    claim("bob", "somebody/else", "src/**");
    repository.commit(&["src/a.ts"]);
    repository.pushes();
    // A foreign one does: exit 1, and the file's name.
    let held = claim("bob", &repo, "src/n*.ts");
    repository.commit(&["src/a.ts", "src/new.ts"]);
    repository.push_is_refused_for("src/new.ts", "conflict reported");
    s.delete(&format!("/claims/{held}?engineer=bob")).expect(200);
    repository.pushes();
    // With a wrong token or without an answer it refuses as well.
    let env = repository.path().join(".coordination/local.env");
    let right = fs::read_to_string(&env).unwrap();
    assert!(right.contains(TOKEN), "the hook was not told the token");
    fs::write(&env, right.replace(TOKEN, "wrong")).unwrap();
    repository.commit(&["src/new.ts"]);
    repository.push_is_refused_for("src/new.ts", "conflict check failed");
    fs::write(&env, right).unwrap();
    repository.pushes();
    // Its questions were counted like all others.
    let metrics = s.ask(with_token(Ask::new("GET", "/metrics"))).text();
    assert!(metrics.contains("/conflicts"), "{metrics}");
}

#[test]
fn the_own_running_bridge_does_not_stop_a_push() {
    if ["git", "curl", "jq", "bash"].iter().any(|tool| !has_tool(TEST, tool)) {
        return;
    }
    let Some(programs) = peer::programs(TEST) else { return };
    let Some(s) = Judged::start(TEST) else { return };
    let repository = Repository::of("alice", &s, &programs).with_origin();
    // The bridge finds address, token and repository in what `coord init` wrote.
    let bridge = repository.program("coord-mcp");
    let mut bridge = coord_tests::mcp::Client::start(bridge);
    let wish = json!({"engineer": "a sub-agent", "patterns": ["src/**"]});
    let said = bridge.call("claim_files", &wish);
    assert!(!said.failed && said.text.contains("claim_ids"), "{said:?}");
    repository.commit(&["src/a.ts"]);
    repository.pushes();
    bridge.close();
    repository.commit(&["src/a.ts"]);
    repository.push_is_refused_for("src/a.ts", "conflict reported");
}
