//! Team claims (seeds 002 and 004; `peer_api`, sections 4 and 6).

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// What a team claim is on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimType {
    /// Files: gives way to claims on symbols, unless that was ruled out.
    #[default]
    File,
    /// A file that many need: held for a short time, and whole.
    SharedFile,
    /// A part of the project: whole.
    Module,
}

impl ClaimType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::SharedFile => "shared_file",
            Self::Module => "module",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::File, Self::SharedFile, Self::Module].into_iter().find(|t| t.as_str() == word)
    }
}

/// How much an area matters to its owners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As everywhere.
    #[default]
    Soft,
    /// Nothing is resolved by itself there.
    Hard,
}

impl Severity {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }

    /// Whether it is [`Self::Hard`].
    pub fn is_hard(self) -> bool {
        self == Self::Hard
    }
}

/// How urgent a wish is: who waits more urgently is served first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    /// It can wait.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Before most.
    High,
    /// Others stand still until then.
    Blocking,
}

impl Urgency {
    /// All, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Blocking];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Blocking => "blocking",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|u| u.as_str() == word)
    }

    /// 1 to 4: `low` to `blocking`.
    pub fn class(self) -> i64 {
        match self {
            Self::Low => 1,
            Self::Normal => 2,
            Self::High => 3,
            Self::Blocking => 4,
        }
    }
}

/// What a team claim has beyond what every claim has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamClaim {
    /// Who holds it, as it calls itself.
    pub engineer: String,
    /// What it is on.
    pub claim_type: ClaimType,
    /// Where the work is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The pattern as it was sent.
    pub pattern: String,
    /// Of the area, when it was granted.
    #[serde(default)]
    pub severity: Severity,
    /// Canonical names of symbols; `None`: whole files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Vec<String>>,
    /// It gives way to claims on symbols.
    #[serde(default)]
    pub narrowable: bool,
    /// Claims that it stands beside by agreement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partners: Vec<String>,
    /// A release request cuts its time short.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ttl_shortened: bool,
}

/// `POST /claims`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CreateClaims {
    /// Who asks, as it calls itself.
    pub engineer: String,
    /// All or nothing.
    pub claims: Vec<ClaimItem>,
    /// Where the work is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whole hours, 1 to 720; absent and 0 are the server's default (4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_hours: Option<i64>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// In which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Wait so long, 0 to 600, for what is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<i64>,
    /// How urgent it is to wait.
    #[serde(default)]
    pub urgency: Urgency,
}

/// One item of a [`CreateClaims`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClaimItem {
    /// What it is on.
    #[serde(rename = "type")]
    pub claim_type: ClaimType,
    /// A line of gitignore.
    pub pattern: String,
    /// Only these symbols; absent and empty: whole files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Vec<String>>,
    /// Whether it gives way to claims on symbols; absent: as its type does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowable: Option<bool>,
}

/// Longest wait in a queue, seconds.
pub const WAIT_SECONDS_MAX: i64 = 600;
/// Most items of one request.
pub const ITEMS_MAX: usize = 500;

/// What `POST /claims` answers, always with these four.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClaimsAnswer {
    /// In the order of the items; empty when nothing was granted.
    pub claim_ids: Vec<String>,
    /// What is in the way, per item and holder.
    pub conflicts: Vec<ClaimConflict>,
    /// What else is to be said.
    pub warnings: Vec<String>,
    /// What the asker can do.
    pub options: Vec<String>,
}

/// An item meets somebody's claim.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClaimConflict {
    /// The item's pattern, as it was sent.
    pub your_pattern: String,
    /// The claim in its way.
    pub conflicting_claim: ConflictingClaim,
    /// A path that both mean.
    pub overlap: Vec<String>,
    /// The item's symbols.
    pub your_symbols: Option<Vec<String>>,
    /// Where both name symbols: those of the item that meet the other's.
    pub symbol_overlap: Option<Vec<SymbolOverlap>>,
}

/// A claim that is in the way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConflictingClaim {
    /// Its id; of a waiter, its place in the queue.
    pub id: String,
    /// Who holds it.
    pub engineer: String,
    /// On what, as it was sent.
    pub pattern: String,
    /// Of the area.
    pub severity: Severity,
    /// What for.
    pub description: Option<String>,
    /// Until when; `None`: until released.
    pub expires_at: Option<Millis>,
    /// `file` or `symbol`.
    pub scope_type: String,
    /// Its symbols, in full.
    pub symbols: Option<Vec<String>>,
    /// It is not a claim yet: somebody waits for it, and comes first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waiting: bool,
}

/// Symbols that meet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SymbolOverlap {
    /// In which file.
    pub file: String,
    /// The asker's names.
    pub symbols: Vec<String>,
}
