//! The `coord` command, from outside.

mod breaker;
mod clones;
mod common;
mod contention;
mod coordination;
mod crowd;
mod decisions;
mod file_locks;
mod foreign;
mod hook;
mod hostile;
mod kills;
mod latency;
mod load;
mod local;
mod messages;
mod outbox;
mod restarts;
mod sandbox;
mod secrets;
mod seed_loop;
mod serving;
mod state;
mod todos_and_locks;
mod traps;
mod words;
