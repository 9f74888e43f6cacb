//! Bounds on everything that arrives (G14, G44). One place, so that client and server agree.

use std::time::Duration;

/// Largest request body the server reads, and largest queue line.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Largest request line plus headers.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most headers in a request.
pub const HEADERS_MAX: usize = 64;
/// Deepest nesting of a JSON body.
pub const JSON_DEPTH_MAX: usize = 32;
/// Longest text field: message body, notes, descriptions.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Longest name: project, session, component, state, subject, resource.
pub const NAME_BYTES_MAX: usize = 512;
/// Most rows in one list answer.
pub const PAGE_MAX: usize = 500;
/// Rows in a list answer when the caller names no limit.
pub const PAGE_DEFAULT: usize = 100;
/// Bytes of rows in one list answer or piece of the feed, as they stand in JSON, where a character may
/// take six bytes. One row alone may be longer: its texts came in one request body, a session's two
/// in two.
pub const PAGE_BYTES_MAX: usize = BODY_BYTES_MAX;
/// Longest answer that an agent reads: the overview is five lists, and a registration hands over a
/// session and its mail.
pub const ANSWER_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Most entries in one batch.
pub const BATCH_ENTRIES_MAX: usize = 500;
/// Largest queue file.
pub const QUEUE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most entries in a queue file.
pub const QUEUE_ENTRIES_MAX: usize = 100_000;
/// How long the server remembers idempotency keys.
pub const KEY_RETENTION: Duration = Duration::from_hours(720);
/// Most idempotency keys the server remembers.
pub const KEYS_MAX: u64 = 1_000_000;
/// A session that first appears later sees the broadcasts of this long ago (G30).
pub const BROADCAST_LOOKBACK: Duration = Duration::from_hours(168);
/// A session that only reads is noted as alive this often.
pub const TOUCH_EVERY: Duration = Duration::from_mins(1);
/// What the server asks for when its database is away (seed 000).
pub const RETRY_AFTER_SECS: u32 = 30;
