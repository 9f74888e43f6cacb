//! `identity.json`: the server's address, the user, the machine (seed 001). All of it is optional;
//! what is missing is derived. A file that is there and cannot be read is an error.

use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ConfigError;
use super::env::Env;
use super::file::read_linked;
use super::paths::Paths;
use super::project;
use crate::remote::local::LOCAL;

const NAME: &str = "identity.json";
/// Larger than this is no identity file.
const BYTES_MAX: u64 = 1024 * 1024;

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// The server's base address, `http://host:port`; `local` is this workstation's own engine.
    #[serde(default)]
    pub coord_api: Option<String>,
    /// The person.
    #[serde(default)]
    pub user: Option<String>,
    /// The workstation's name.
    #[serde(default)]
    pub machine: Option<String>,
    /// A file with the server's token.
    #[serde(default)]
    pub coord_token_file: Option<String>,
    /// What hooks do about commands that change a shared work tree: `off`, `advise`, `warn`, `block`.
    #[serde(default)]
    pub tree_guard: Option<String>,
    /// What the guards of commits and pushes do: `off`, `advise`, `block`.
    #[serde(default)]
    pub guard: Option<String>,
}

/// Looks for the file: `COORD_IDENTITY`, then `.claude/identity.json` of the project, then of the
/// home folder, then `identity.json` in coord's config folder. The first that exists is taken.
pub fn find(env: &Env, paths: &Paths, project_root: &Path) -> Result<Identity, ConfigError> {
    if let Some(path) = env.path("COORD_IDENTITY") {
        let identity = read(&path)?.ok_or_else(|| ConfigError::File {
            path: path.display().to_string(),
            why: "COORD_IDENTITY names this file, and it does not exist".to_owned(),
        })?;
        return Ok(identity);
    }
    let own = project_root.join(".claude").join(NAME);
    let is_home = paths.home.as_deref() == Some(project_root);
    if let (false, Some(identity)) = (is_home, read(&own)?) {
        refuse_foreign(&own, &identity)?;
        return Ok(identity);
    }
    let mut places = Vec::new();
    places.extend(paths.home.as_ref().map(|h| h.join(".claude").join(NAME)));
    places.push(paths.config.join(NAME));
    for path in places {
        if let Some(identity) = read(&path)? {
            return Ok(identity);
        }
    }
    Ok(Identity::default())
}

/// A file of a project may have come from somebody else. It never says where a token is; and when git
/// tracks it, it does not name the server either.
fn refuse_foreign(path: &Path, identity: &Identity) -> Result<(), ConfigError> {
    let why = if identity.coord_token_file.is_some() {
        "coord_token_file in a project's file is not obeyed: whoever made the project could have any \
         file of yours sent to them. Move it to ~/.claude/identity.json"
    } else if identity.coord_api.is_some() && project::is_tracked(path) {
        "it is tracked by git and names a server: whoever can commit could have your writes and your \
         token sent to them. Take it out of git (git rm --cached), or move coord_api to \
         ~/.claude/identity.json"
    } else {
        return Ok(());
    };
    Err(ConfigError::File { path: path.display().to_string(), why: why.to_owned() })
}

fn read(path: &Path) -> Result<Option<Identity>, ConfigError> {
    let bad = |why: String| ConfigError::File { path: path.display().to_string(), why };
    let bytes = match read_linked(path, BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(bad(e.to_string())),
    };
    let text = String::from_utf8(bytes).map_err(|e| bad(e.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let unusable = |e: serde_json::Error| {
        bad(format!("not a usable identity file: {e}; mend it or remove it"))
    };
    // Through a map first: serde would also take a list for a struct.
    let fields: Map<String, Value> = serde_json::from_str(text).map_err(unusable)?;
    let identity: Identity = serde_json::from_value(Value::Object(fields)).map_err(unusable)?;
    if let Some(api) = &identity.coord_api {
        check_base(api).map_err(|why| bad(format!("coord_api {api:?}: {why}")))?;
    }
    Ok(Some(identity))
}

/// Checks a base address: `http` or `https`, a host, no path, no user; or `local`.
pub fn check_base(base: &str) -> Result<(), String> {
    if base == LOCAL {
        return Ok(());
    }
    let rest = base
        .strip_prefix("http://")
        .or_else(|| base.strip_prefix("https://"))
        .ok_or("must begin with http:// or https://, or be \"local\"")?;
    let host = rest.trim_end_matches('/');
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return Err("must be like http://host:port, without a path".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_link_to_what_never_ends_is_refused() {
        let (dir, _) = setup("{}");
        let file = dir.path().join(".claude/identity.json");
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("no regular file"));
    }

    fn setup(json: &str) -> (tempfile::TempDir, Result<Identity, ConfigError>) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".claude")).unwrap();
        fs::write(dir.path().join(".claude/identity.json"), json).unwrap();
        let env = Env::of(&[("HOME", dir.path().to_str().unwrap())]);
        let paths = Paths::find(&env).unwrap();
        let found = find(&env, &paths, Path::new("/nowhere"));
        (dir, found)
    }

    #[test]
    fn fields_are_optional_and_unknown_ones_ignored() {
        let (_d, found) = setup("\u{feff}{\"machine\":\"BOX\",\"vault\":1}");
        assert_eq!(found.unwrap().machine.as_deref(), Some("BOX"));
    }

    #[test]
    fn broken_files_are_named() {
        for bad in ["{", "[]", "{\"user\":7}", "{\"coord_api\":\"172.16.3.30:8001\"}"] {
            let (_d, found) = setup(bad);
            let e = found.unwrap_err().to_string();
            assert!(e.contains("identity.json"), "{bad}: {e}");
        }
    }

    #[test]
    fn base_addresses() {
        for ok in ["http://a:1", "https://a.b", "http://[::1]:80/", "local"] {
            assert_eq!(check_base(ok), Ok(()), "{ok}");
        }
        for bad in ["a:1", "ftp://a", "http://", "http://u@h", "http://h/p"] {
            assert!(check_base(bad).is_err(), "{bad}");
        }
    }
}
