//! What git says about the checkout.

use std::path::Path;
use std::time::Duration;

use coord_protocol::project::key_of_url;

use crate::git::{Git, GitError};

/// How long one call may take.
const TIME_MAX: Duration = Duration::from_secs(5);

/// The tracked files below `root`, sorted, as paths from there. `scope` is a pathspec.
pub(super) fn tracked_files(root: &Path, scope: Option<&str>) -> Result<Vec<String>, GitError> {
    let mut args = vec!["ls-files", "-z", "--cached", "--"];
    args.extend(scope);
    let listed = run(root, &args)?;
    let mut files: Vec<String> = listed
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    // A file in conflict is listed once for each side.
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

/// `owner/name` of the remote `origin`; `None` when there is none.
pub(super) fn repo_id(root: &Path) -> Option<String> {
    let url = run(root, &["remote", "get-url", "origin"]).ok()?;
    id_of_url(String::from_utf8_lossy(&url).trim())
}

/// `owner/name` of an address; a name alone is nobody's.
fn id_of_url(url: &str) -> Option<String> {
    key_of_url(url).filter(|key| key.contains('/'))
}

/// None of our caller's git settings.
fn run(root: &Path, args: &[&str]) -> Result<Vec<u8>, GitError> {
    Git { root, within: TIME_MAX, in_hook: false }.run(args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::Unfinished;

    #[test]
    fn ids_of_remotes() {
        for url in [
            "https://example.com/acme/app.git",
            "https://user:secret@example.com:8443/acme/app",
            "git@example.com:acme/app.git",
            "ssh://git@example.com:22/acme/app/",
            "/srv/git/acme/app.git",
            "https://example.com/group/acme/app",
        ] {
            assert_eq!(id_of_url(url).as_deref(), Some("acme/app"), "{url}");
        }
        for url in ["", "app", "https://example.com", "git@example.com:app.git"] {
            assert_eq!(id_of_url(url), None, "{url}");
        }
    }

    #[test]
    fn a_folder_that_is_none() {
        let missing = tracked_files(Path::new("/nowhere/at/all"), None);
        assert!(matches!(missing, Err(GitError::Unfinished(Unfinished::Start(_)))), "{missing:?}");
        let dir = tempfile::tempdir().unwrap();
        let plain = tracked_files(dir.path(), None);
        assert!(matches!(plain, Err(GitError::Failed(_))), "{plain:?}");
        assert_eq!(repo_id(dir.path()), None);
    }
}
