//! Names in the outbox's folder (reliability 5.1). All are 0600.

/// The public inbox: pending entries, one JSON object a line. Absent when nothing is pending.
pub const QUEUE: &str = "coord-queue.jsonl";
/// Kernel lock: shared by appenders, exclusive for a rewrite. Never unlinked, always empty.
pub const LOCK: &str = "coord-queue.lock";
/// Kernel lock: one drain at a time.
pub const DRAIN_LOCK: &str = "coord-queue.drain.lock";
/// Journal of settled ids since the last rewrite.
pub const JOURNAL: &str = "coord-queue.ack";
/// Dead letters.
pub const DEAD: &str = "coord-queue.dead.jsonl";
/// Queue files moved aside.
pub const ASIDE: &str = "coord-queue.d";
/// A new queue file being written: `coord-queue.tmp.<random>`. Rubbish after a crash.
pub const TMP_PREFIX: &str = "coord-queue.tmp.";
/// What became of a session's writes, until it is told: `coord-queue.news-<short name>.jsonl`.
pub const NEWS_PREFIX: &str = "coord-queue.news-";
/// The entry that the server fails on, and since when.
pub const TROUBLE: &str = "coord-queue.trouble";
