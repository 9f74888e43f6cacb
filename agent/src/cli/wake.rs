//! `coord wake`: waits for mail behind a session that has gone idle.

use std::time::Duration;

use super::mail;
use crate::context::Context;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
For a Stop hook with \"asyncRewake\": true. Exit status: 2 with the message on stderr, which wakes the
session; 0 when the time is over, or when another process waits for this session already.")]
pub(super) struct Args {
    /// Wait so long
    #[arg(long, value_name = "SECONDS", default_value_t = 590,
          value_parser = clap::value_parser!(u32).range(1..=604_800))]
    timeout: u32,
}

/// The exit status.
pub(super) fn main(cx: &Context, a: &Args, as_json: bool) -> u8 {
    mail::wait(cx, Duration::from_secs(u64::from(a.timeout))).finish(as_json)
}
