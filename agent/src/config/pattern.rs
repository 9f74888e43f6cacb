//! What a person names when claiming files, as a pattern from the project's top: a path that is there
//! below the current folder, or a line as in `.gitignore`.

use std::fs;
use std::path::{Path, PathBuf};

use coord_protocol::path::canonical;
use coord_protocol::resource::Resource;

use super::env::Env;
use super::file::{self, BadFile};
use super::project::Project;

/// Characters that make a pattern of a text.
const META: [char; 4] = ['*', '?', '[', '{'];
/// All of the project.
const EVERYTHING: &str = "**";

/// What is to be claimed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The pattern, from the project's top.
    pub pattern: String,
    /// The regular file that it names, when there is one.
    pub file: Option<PathBuf>,
    /// It is a plain name that no file here has: it means that name at any depth.
    pub anywhere: bool,
}

/// Why a text cannot be a pattern.
#[derive(Debug, thiserror::Error)]
pub enum BadPattern {
    /// The path is no path of the project.
    #[error(transparent)]
    File(#[from] BadFile),
    /// It leaves the project, or the folder has a name that no pattern can hold.
    #[error("{0:?} is outside of the project")]
    Outside(String),
    /// Claims say what is taken, not what is left out.
    #[error("{0:?} is a negation; a claim cannot be negative")]
    Negative(String),
    /// It is no pattern.
    #[error("{0}")]
    Bad(String),
}

/// Finds what `text` means, seen from `cwd`. A path that is there wins; `./` and `../` are seen from
/// `cwd`, and so is a pattern in a folder that only `cwd` has; a leading `/` and everything else is a
/// pattern from the project's top.
pub fn find(env: &Env, project: &Project, cwd: &Path, text: &str) -> Result<Wanted, BadPattern> {
    let root = fs::canonicalize(&project.root).unwrap_or_else(|_| project.root.clone());
    let real_cwd = fs::canonicalize(cwd).unwrap_or_else(|_| cwd.to_owned());
    let below = real_cwd.strip_prefix(&root).ok();
    let base = if below.is_some() { &real_cwd } else { &root };
    let tops = [&root, &project.root];
    let path = Path::new(text);
    if path.is_absolute() {
        // `/src` is the project's; `/home/ann/app/src` may be, too.
        return match tops.iter().find_map(|top| path.strip_prefix(top).ok()) {
            Some(_) if path.symlink_metadata().is_ok() => of_path(env, project, &root, path),
            Some(rest) => checked(&format!("/{}", rest.display()), false),
            // In another work tree of the clone, or else the project's own.
            None => of_path(env, project, &root, path).or_else(|_| checked(text, false)),
        };
    }
    if !text.is_empty() && base.join(path).symlink_metadata().is_ok() {
        return of_path(env, project, &root, &base.join(path));
    }
    let dotted = path.starts_with(".") || path.starts_with("..") || text.starts_with("./");
    if dotted || (lies_in(base, text) && !lies_in(&root, text)) {
        let outside = || BadPattern::Outside(text.to_owned());
        let here = below.unwrap_or(Path::new("")).to_str().ok_or_else(outside)?;
        let joined = canonical(&format!("{here}/{}", text.trim_start_matches("./")));
        return checked(&format!("/{}", joined.map_err(|_| outside())?), false);
    }
    let plain = !text.contains('/') && !text.contains(META);
    checked(text, plain)
}

/// A pattern as it is written, for a project that is not here.
pub fn as_written(text: &str) -> Result<Wanted, BadPattern> {
    checked(text, false)
}

/// Whether the folder that a pattern begins with is there.
fn lies_in(top: &Path, text: &str) -> bool {
    let meta = text.find(META).unwrap_or(text.len());
    let folder = text[..meta].rfind('/').map_or("", |slash| &text[..slash]);
    !folder.is_empty() && top.join(folder).is_dir()
}

fn of_path(env: &Env, project: &Project, root: &Path, path: &Path) -> Result<Wanted, BadPattern> {
    if fs::canonicalize(path).is_ok_and(|real| real == root) {
        return checked(EVERYTHING, false);
    }
    let found = file::find(env, project, root, path)?;
    let wanted = checked(&anchored(&found.resource), false)?;
    let file = Some(found.real).filter(|real| real.is_file());
    Ok(Wanted { file, ..wanted })
}

/// A path from the top; a name alone would be meant at any depth.
fn anchored(path: &str) -> String {
    if path.contains('/') { path.to_owned() } else { format!("/{path}") }
}

fn checked(text: &str, anywhere: bool) -> Result<Wanted, BadPattern> {
    if text.trim().starts_with('!') {
        return Err(BadPattern::Negative(text.to_owned()));
    }
    let pattern = match text.strip_prefix('/') {
        Some(rest) if rest.trim_end_matches('/').contains('/') => rest.to_owned(),
        Some(_) | None => text.to_owned(),
    };
    match Resource::claim(&pattern) {
        Ok(_) => Ok(Wanted { pattern, file: None, anywhere }),
        Err(e) => Err(BadPattern::Bad(e.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::project;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().join("app");
            for folder in ["src/auth", "src/only", "docs", ".claude"] {
                fs::create_dir_all(root.join(folder)).unwrap();
            }
            for file in ["README.md", "src/auth/login.ts", "src/README.md", "src/auth/[id].ts"] {
                fs::write(root.join(file), "x").unwrap();
            }
            Self(dir)
        }

        fn find(&self, folder: &str, text: &str) -> Result<Wanted, BadPattern> {
            let root = self.0.path().join("app");
            let project = project::find(&Env::default(), &root, None);
            find(&Env::default(), &project, &root.join(folder), text)
        }

        fn pattern(&self, folder: &str, text: &str) -> String {
            self.find(folder, text).unwrap_or_else(|e| panic!("{text}: {e}")).pattern
        }
    }

    #[test]
    fn a_path_that_is_there_wins() {
        let tree = Tree::new();
        for (folder, text, pattern) in [
            ("", "README.md", "/README.md"),
            ("src", "README.md", "src/README.md"),
            ("src/auth", "login.ts", "src/auth/login.ts"),
            ("src/auth", "../README.md", "src/README.md"),
            ("src", "auth", "src/auth"),
            ("src", "auth/", "src/auth"),
            ("", "src", "/src"),
            ("", ".", "**"),
            ("src/auth", "../..", "**"),
            ("src", ".", "/src"),
            ("src/auth", "[id].ts", "src/auth/[id].ts"),
        ] {
            assert_eq!(tree.pattern(folder, text), pattern, "{text} in {folder}");
        }
        let file = tree.find("src/auth", "login.ts").unwrap().file.unwrap();
        assert!(file.ends_with("src/auth/login.ts"), "{}", file.display());
        assert_eq!(tree.find("", "src").unwrap().file, None, "a folder is no file");
        let whole = tree.0.path().join("app/src/auth/login.ts");
        assert_eq!(tree.pattern("docs", whole.to_str().unwrap()), "src/auth/login.ts");
    }

    #[test]
    fn what_is_not_there_is_a_pattern_from_the_top() {
        let tree = Tree::new();
        for (folder, text, pattern) in [
            ("src/auth", "src/auth/**", "src/auth/**"),
            ("", "src/**", "src/**"),
            ("src", "*.ts", "*.ts"),
            ("src", "/login.ts", "/login.ts"),
            ("src", "/src/auth", "src/auth"),
            ("docs", "src/new.ts", "src/new.ts"),
            // Only the current folder has such a folder.
            ("src", "auth/new.ts", "src/auth/new.ts"),
            ("src", "only/**", "src/only/**"),
            ("src/auth", "./new.ts", "src/auth/new.ts"),
            ("", "./new.ts", "/new.ts"),
            ("src/auth", "../*.ts", "src/*.ts"),
        ] {
            assert_eq!(tree.pattern(folder, text), pattern, "{text} in {folder}");
        }
        assert!(tree.find("", "new.ts").unwrap().anywhere);
        assert!(!tree.find("", "*.ts").unwrap().anywhere);
        assert!(!tree.find("", "./new.ts").unwrap().anywhere);
    }

    #[test]
    fn what_cannot_be_claimed() {
        let tree = Tree::new();
        assert!(matches!(tree.find("", "!src/**"), Err(BadPattern::Negative(_))));
        assert!(matches!(tree.find("src", "../../x"), Err(BadPattern::Outside(_))));
        for bad in ["", "src/[", "a\u{1b}b"] {
            assert!(matches!(tree.find("", bad), Err(BadPattern::Bad(_))), "{bad:?}");
        }
        let link = tree.0.path().join("app/out");
        std::os::unix::fs::symlink("/etc", link).unwrap();
        assert!(matches!(tree.find("", "out/passwd"), Err(BadPattern::File(_))));
    }
}
