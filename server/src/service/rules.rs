//! The settings that rules depend on.

use std::time::Duration;

use coord_protocol::lease;
use coord_protocol::wire::ClaimKind;

use crate::webhooks::Outlet;

/// The settings that rules depend on.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Lease of a claim whose asker names none.
    pub ttl_default: Duration,
    /// Silence after which a holder counts as gone.
    pub stale_after: Duration,
    /// Lease of a file whose asker names none.
    pub file_ttl: Duration,
    /// Silence after which a session is stale.
    pub session_stale_after: Duration,
    /// What concerns team claims alone.
    pub team: TeamRules,
    /// Where events are stored for; `None`: webhooks are off. A server sets it once, for as long as its
    /// process lives.
    pub webhooks: Option<&'static Outlet>,
}

/// Settings of team claims; names and defaults are those of seed 002.
#[derive(Debug, Clone, Copy)]
pub struct TeamRules {
    /// `COORD_DEFAULT_TTL_HOURS`: lease of a team claim whose asker names none.
    pub ttl_default: Duration,
    /// `COORD_SHARED_TTL_HOURS`: lease of a shared file, always.
    pub ttl_shared: Duration,
    /// `COORD_IDLE_TIMEOUT_SEC`: a claim with a session that was silent for longer ends; `None`: never.
    pub idle_after: Option<Duration>,
    /// `COORD_REQUEST_TTL_SHORT_SEC`: what a release request leaves the holder at most.
    pub request_ttl_short: Duration,
    /// `COORD_QUEUE_AGE_BOOST_SECONDS`: a waiter ranks one class higher for each such time that it has
    /// waited; `None`: never.
    pub age_boost: Option<Duration>,
    /// `COORD_CLEANUP_INTERVAL_SEC`: how often claims that are over are looked for; `None`: only when
    /// they are in somebody's way (`COORD_DISABLE_BACKGROUND_CLEANUP`).
    pub sweep_every: Option<Duration>,
    /// When hot files become shared files by themselves, and cease to be.
    pub promotion: Promotion,
}

/// When hot files become shared files by themselves, and cease to be.
#[derive(Debug, Clone, Copy)]
pub struct Promotion {
    /// `COORD_AUTO_PROMOTE_THRESHOLD`: blocked attempts that promote; 0 is off.
    pub threshold: u32,
    /// `COORD_AUTO_PROMOTE_WINDOW_DAYS`: the window in which they are counted.
    pub window_days: u32,
    /// `COORD_AUTO_PROMOTE_SUBTREE_MIN_FILES`: so many hot files of one folder become the folder; 0 is
    /// off.
    pub subtree_min_files: u32,
    /// `COORD_AUTO_DEMOTE_INTERVAL_SEC`: how often entries are looked through; `None`: never.
    pub demote_every: Option<Duration>,
    /// `COORD_AUTO_DEMOTE_WINDOW_DAYS`: the window in which attempts keep an entry.
    pub demote_window_days: u32,
}

impl Rules {
    /// The lease of a lock whose asker names none.
    pub fn ttl_of(&self, kind: ClaimKind) -> Duration {
        match kind {
            ClaimKind::Lock => self.ttl_default,
            ClaimKind::File => self.file_ttl,
            ClaimKind::Claim => self.team.ttl_default,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            ttl_default: lease::TTL_DEFAULT,
            stale_after: lease::STALE_AFTER_DEFAULT,
            file_ttl: lease::FILE_TTL_DEFAULT,
            session_stale_after: lease::SESSION_STALE_AFTER_DEFAULT,
            team: TeamRules::default(),
            webhooks: None,
        }
    }
}

impl Default for TeamRules {
    fn default() -> Self {
        Self {
            ttl_default: Duration::from_hours(4),
            ttl_shared: Duration::from_hours(2),
            idle_after: Some(Duration::from_mins(30)),
            request_ttl_short: Duration::from_mins(5),
            age_boost: Some(Duration::from_mins(1)),
            sweep_every: Some(Duration::from_mins(15)),
            promotion: Promotion {
                threshold: 0,
                window_days: 7,
                subtree_min_files: 3,
                demote_every: Some(Duration::from_hours(1)),
                demote_window_days: 14,
            },
        }
    }
}
