//! The `coord` command, from outside.

mod breaker;
mod carry;
mod clones;
mod common;
mod contention;
mod foreign;
mod hook;
mod hostile;
mod kills;
mod latency;
mod load;
mod local;
mod local_kills;
mod messages;
mod offline;
mod outage;
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
