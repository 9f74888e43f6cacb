//! `coord init`, `coord uninstall` and `coord doctor`, from outside.

mod clients;
mod common;
mod doctor;
mod git_hooks;
mod hostile;
mod merging;
mod opencode;
mod round_trip;
