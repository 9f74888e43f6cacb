//! `coord mcp`: the Model Context Protocol on stdin and stdout, of both its eras. [`tools`], [`offers`]
//! say what there is, [`words`] what a call means as a command line, [`desk`] works on it, [`answer`]
//! says what came of it; [`sdk`] alone knows the protocol's library and its runtime.

pub mod answer;
pub mod arguments;
pub mod caller;
pub mod desk;
mod lines;
pub mod offers;
mod progress;
mod sdk;
pub mod tools;
mod words;

use crate::config::env::Env;
use desk::Desk;

/// Serves until its input ends; the exit status.
pub fn main(env: Env) -> u8 {
    sdk::serve(Desk::new(env))
}
