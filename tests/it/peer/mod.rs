//! The HTTP face of teams, as clients of `coord-mcp-server` 0.27.1 know it: its unmodified bridge,
//! hook and command drive our server, and the forms on the wire are held against its own.
//!
//! `COORD_JUDGED=peer` runs the same tests against its service instead, to judge the tests. What
//! is expected only of ours, because the other is faulty there, stands behind `if s.is_ours()`.

mod bridge;
mod claiming;
mod commands;
mod judged;
mod pushing;
mod queue;
mod race;
mod refusals;
mod requesting;
mod wire;
