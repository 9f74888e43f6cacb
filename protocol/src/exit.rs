//! Exit codes of the `coord` command. They are part of the interface: scripts depend on them.
//!
//! 10 to 13 are seed 003's codes for locks; those from 64 up follow the BSD `sysexits` meanings.

/// Done, or safely queued.
pub const DONE: u8 = 0;
/// The server (or the local engine) said no: not found, not yours, bad value.
pub const REFUSED: u8 = 1;
/// The command line was wrong.
pub const USAGE: u8 = 2;
/// The lock or claim is held by another session (seed 003: `EXIT_LOCK_HELD`).
pub const LOCK_HELD: u8 = 10;
/// The lock's lease is over (seed 003: `EXIT_LOCK_EXPIRED`).
pub const LOCK_EXPIRED: u8 = 11;
/// The file was changed by somebody else (seed 003: `EXIT_CONFLICT`).
pub const CONFLICT: u8 = 12;
/// The session is not registered or its generation is over (seed 003: `EXIT_STALE_INSTANCE`).
pub const STALE_INSTANCE: u8 = 13;
/// Data that cannot be used: a damaged database.
pub const DATA: u8 = 65;
/// The server could not be reached and the command cannot do without it.
pub const UNAVAILABLE: u8 = 69;
/// A bug in coord.
pub const BUG: u8 = 70;
/// The write could not be made durable here; it is *not* acknowledged (G2).
pub const NOT_DURABLE: u8 = 74;
/// Configuration is broken: `identity.json`, settings, token file, a network file system.
pub const CONFIG: u8 = 78;
