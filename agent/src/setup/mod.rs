//! Wiring the host tools of a repository or a user (`coord init`), taking all of it away again
//! (`coord uninstall`), and looking after it (`coord doctor`).
//!
//! [`wiring`] says what goes where, [`part`] puts it into a text and takes it out, [`plan`] decides:
//! all of that is functions of texts. [`site`] and [`files`] touch the disk, [`act`] puts them
//! together.

pub mod act;
mod block;
mod diff;
pub mod doctor;
mod files;
pub mod host;
mod json;
pub mod part;
pub mod plan;
pub mod purge;
pub mod record;
mod script;
pub mod show;
pub mod site;
mod table;
mod whole;
pub mod wiring;
