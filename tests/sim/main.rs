//! The seeded simulation (reliability.md section 4): workstations, their disks, the network and the
//! server in one process, in virtual time, with the product's own code between them. The same seed
//! does the same.
//!
//! `COORD_SIM_SEEDS=<n>` runs more seeds, `COORD_SIM_SEED=<n>` one of them, `COORD_SIM_TRACE=1`
//! prints all that happens in it. `COORD_SIM_BUG=<names>` plants these bugs only.

#![expect(clippy::print_stderr, reason = "a simulation tells what it did")]

mod chance;
mod checks;
mod clock;
mod conformance;
mod copies;
mod disk;
mod faults;
mod files;
mod foreign;
mod history;
mod kit;
mod leases;
mod ledger;

mod machine;
mod mirror;
mod net;
mod planted;
mod renamed;
mod runs;
mod scheduler;
mod server;
mod simulation;
mod stranger;
mod tampered;
mod telling;
mod trace;
mod verdicts;
mod wishes;
mod workload;
mod world;
