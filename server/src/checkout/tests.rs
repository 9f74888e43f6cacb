//! The checkout over real repositories of git.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;

const NOW: Millis = Millis(1_000_000);

struct Repo {
    dir: tempfile::TempDir,
}

impl Repo {
    /// A repository with these files, all added.
    fn new(files: &[(&str, &str)]) -> Self {
        let repo = Self { dir: tempfile::tempdir().unwrap() };
        repo.git(&["init", "-q"]);
        for (name, text) in files {
            repo.write(name, text);
        }
        repo.git(&["add", "."]);
        repo
    }

    /// The same, with files that are only there for their number.
    fn with_many(count: usize, files: &[(&str, &str)]) -> Self {
        let repo = Self::new(files);
        for n in 0..count {
            repo.write(&format!("many/f{n}.txt"), "");
        }
        repo.git(&["add", "."]);
        repo
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.root().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn git(&self, args: &[&str]) {
        let done = Command::new("git")
            .current_dir(self.root())
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    fn settings(&self) -> CheckoutSettings {
        CheckoutSettings::of(self.root().to_owned())
    }

    fn checkout(&self) -> Checkout {
        Checkout::new(self.settings())
    }
}

fn file(pattern: &str) -> Examined<'_> {
    Examined { pattern, symbols: None }
}

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|i| (*i).to_owned()).collect()
}

fn text(found: &Examination) -> &str {
    found.refusal.as_ref().map_or("", |(text, _)| text)
}

#[test]
fn too_large_a_claim_is_refused() {
    let repo = Repo::with_many(120, &[("src/a.rs", "")]);
    let checkout = repo.checkout();
    let found = checkout.examine(Some("o/r"), &[file("src/a.rs"), file("many/")], NOW);
    let options: &[&str] = &["narrow_claim", "escalate"];
    let refusal = "Pattern 'many/' matches 120 files; max is 100".to_owned();
    assert_eq!(found, Examination { refusal: Some((refusal, options)), warnings: vec![] });
    let found =
        checkout.examine(None, &[file("many/f1?.txt"), file("f2?.txt"), file("f3?.txt")], NOW);
    assert_eq!(text(&found), "Combined claim scope exceeds max fraction of repository");
    let found = checkout.examine(None, &[file("many/f1*")], NOW);
    assert_eq!(text(&found), "Pattern 'many/f1*' covers 26% of repo; max is 20%");
    assert_eq!(checkout.examine(None, &[file("src/a.rs")], NOW), Examination::default());
}

#[test]
fn in_a_scope_only_the_number_counts() {
    let repo = Repo::with_many(120, &[("src/a.rs", ""), ("src/b.rs", "")]);
    let scoped = |scope: &str| {
        Checkout::new(CheckoutSettings { scope: Some(scope.to_owned()), ..repo.settings() })
    };
    assert_eq!(scoped("src").examine(None, &[file("src/**")], NOW), Examination::default());
    let found = scoped("many").examine(None, &[file("**")], NOW);
    assert_eq!(text(&found), "Pattern '**' matches 120 files; max is 100");
    // What lies outside of the scope is not there.
    let found = scoped("many").examine(None, &[file("src/a.rs")], NOW);
    assert_eq!((found.refusal, found.warnings.len()), (None, 1));
}

#[test]
fn what_matches_nothing_is_granted_with_a_word() {
    let repo = Repo::with_many(20, &[("src/login.ts", "")]);
    let found = repo.checkout().examine(
        None,
        &[file("src/login.ts"), file("src/Login.ts"), file("src/new.ts"), file("src/[z-a]")],
        NOW,
    );
    assert_eq!(found.refusal, None);
    assert_eq!(
        found.warnings,
        [
            "Pattern 'src/Login.ts' matched zero files under COORD_REPO_ROOT. Did you mean \
             'src/login.ts'? Matching is case-sensitive (gitignore semantics) regardless of \
             filesystem case-sensitivity.",
            "Pattern 'src/new.ts' matched zero files under COORD_REPO_ROOT. The claim was still \
             created in case the file is about to be added; double-check the path if this was not \
             intentional.",
        ]
    );
}

#[test]
fn unknown_symbols_are_refused_in_one_text() {
    let repo = Repo::with_many(
        20,
        &[
            ("src/a.ts", "export type LoginKind = 1;\nexport const f = memo(() => 1);\n"),
            ("src/b.py", "LIMIT = 1\nclass A:\n    def run(self): pass\n"),
        ],
    );
    let (a, b) = (texts(&["nope", "f", "alsoNope"]), texts(&["A::run", "LIMIT", "A::stop"]));
    let checkout = repo.checkout();
    let items = [
        Examined { pattern: "src/a.ts", symbols: Some(&a) },
        Examined { pattern: "./src/b.py", symbols: Some(&b) },
    ];
    let found = checkout.examine(None, &items, NOW);
    let refusal = "Unknown symbols in 'src/a.ts': ['alsoNope', 'nope']. Known symbols (up to 20): \
                   ['LoginKind', 'f']; Unknown symbols in './src/b.py': ['A::stop']. Known symbols \
                   (up to 20): ['A', 'A::run', 'LIMIT']";
    assert_eq!(text(&found), refusal);
    assert_eq!(found.refusal.unwrap().1, ["narrow_claim"]);
    let good = texts(&["A", "A::run", "LIMIT"]);
    let item = Examined { pattern: "src/b.py", symbols: Some(&good) };
    assert_eq!(checkout.examine(None, &[item], NOW), Examination::default());
}

#[test]
fn what_cannot_be_judged_passes() {
    let repo = Repo::with_many(
        40,
        &[
            ("src/broken.ts", "function ok() {}\nfunction ( {{{\n"),
            ("src/words.md", "# words"),
            ("src/empty.ts", "// nothing\n"),
            ("x/two.ts", "const a = 1;"),
            ("two.ts", "const a = 1;"),
            ("big.ts", &"const a = 1;\n".repeat(60_000)),
        ],
    );
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.ts"), "const secret = 1;").unwrap();
    std::os::unix::fs::symlink(outside.path(), repo.root().join("out")).unwrap();
    let made = Command::new("mkfifo").arg(repo.root().join("src/pipe.ts")).status();
    assert!(made.unwrap().success());
    let up = format!("../{}/secret.ts", outside.path().file_name().unwrap().to_str().unwrap());
    let wanted = texts(&["nope"]);
    for pattern in [
        "src/broken.ts",
        "src/words.md",
        "src/empty.ts",
        "src/missing.ts",
        "src/*.ts",
        "src",
        "two.ts",
        "big.ts",
        "out/secret.ts",
        "src/pipe.ts",
        &up,
    ] {
        let item = Examined { pattern, symbols: Some(&wanted) };
        assert_eq!(repo.checkout().examine(None, &[item], NOW).refusal, None, "{pattern}");
    }
    let item = Examined { pattern: "/two.ts", symbols: Some(&wanted) };
    assert!(
        text(&repo.checkout().examine(None, &[item], NOW))
            .starts_with("Unknown symbols in '/two.ts'")
    );
    let none: Vec<String> = Vec::new();
    let item = Examined { pattern: "/two.ts", symbols: Some(&none) };
    assert_eq!(repo.checkout().examine(None, &[item], NOW).refusal, None);
}

#[test]
fn a_checkout_judges_its_own_repository() {
    let repo = Repo::with_many(20, &[]);
    let refused = |asked: Option<&str>| {
        let found = repo.checkout().examine(asked, &[file("many/")], NOW);
        found.refusal.is_some()
    };
    assert!(refused(None) && refused(Some("any/thing")), "no remote: it judges all");
    repo.git(&["remote", "add", "origin", "git@example.com:acme/app.git"]);
    assert!(refused(None) && refused(Some("acme/app")) && refused(Some("Acme/App")));
    assert!(!refused(Some("acme/other")) && !refused(Some("")));
}

#[test]
fn answers_of_git_are_kept_for_a_while() {
    let repo = Repo::with_many(20, &[("a.rs", "")]);
    let checkout = repo.checkout();
    let warned = |now| !checkout.examine(None, &[file("b.rs")], now).warnings.is_empty();
    assert!(warned(NOW));
    repo.write("b.rs", "");
    repo.git(&["add", "b.rs"]);
    let ttl = Duration::from_secs(10);
    assert!(warned(NOW.plus(ttl).before(Duration::from_millis(1))));
    assert!(!warned(NOW.plus(ttl)));
}

#[test]
fn a_checkout_without_files_or_git_refuses_nothing() {
    let empty = Repo::new(&[]);
    let checkout = empty.checkout();
    assert_eq!(checkout.examine(None, &[file("**")], NOW), Examination::default());
    empty.write("a.rs", "");
    empty.git(&["add", "."]);
    let found = checkout.examine(None, &[file("a.rs")], NOW);
    assert_eq!(text(&found), "Pattern 'a.rs' covers 100% of repo; max is 20%", "was not kept");
    let plain = tempfile::tempdir().unwrap();
    let checkout = Checkout::new(CheckoutSettings::of(plain.path().to_owned()));
    assert_eq!(checkout.examine(None, &[file("**")], NOW), Examination::default());
}

#[test]
fn names_come_as_they_are() {
    let repo = Repo::with_many(20, &[("a b/\u{e9}\n\"x\".rs", "")]);
    let files = git::tracked_files(repo.root(), None).unwrap();
    assert!(files.contains(&"a b/\u{e9}\n\"x\".rs".to_owned()), "{files:?}");
    // A scope that looks like an option is none.
    assert!(git::tracked_files(repo.root(), Some("--others")).unwrap().is_empty());
}
