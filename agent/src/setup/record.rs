//! What `coord init` remembers: how each file was before it came, and how it left it. With that,
//! `coord uninstall` gives back the very bytes of a file that nobody else has touched; any other file
//! only loses what is ours.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::host::Host;
use crate::config::file::hex;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its text before coord came; `None`: it was not there.
    pub original: Option<String>,
    /// The digest of what coord left.
    pub left: String,
}

impl Kept {
    /// Whether nobody has changed the file since.
    pub fn is_as_left(&self, text: Option<&str>) -> bool {
        digest(text) == self.left
    }
}

/// One place that was wired: a project, or the user's own settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The hosts.
    pub hosts: BTreeSet<Host>,
    /// The files that were changed.
    pub files: BTreeMap<PathBuf, Kept>,
    /// Folders that were made, each after the one it lies in.
    pub folders: Vec<PathBuf>,
}

impl Record {
    /// Whether it says anything.
    pub fn is_kept(&self) -> bool {
        !self.hosts.is_empty() || !self.files.is_empty()
    }
}

/// What tells one text from another; a file that is not there has none.
pub fn digest(text: Option<&str>) -> String {
    text.map_or_else(String::new, |t| hex(&Sha256::digest(t.as_bytes())))
}
