//! Which conversation of its session a command belongs to, when the host says so.

use coord_protocol::exit;

use crate::context::Context;
use crate::ui::report::CliError;

/// `COORD_GENERATION`: a command of an old conversation is refused once a newer one has begun.
pub(super) fn generation(cx: &Context) -> Result<Option<i64>, CliError> {
    let Some(text) = cx.env.get("COORD_GENERATION") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        CliError::new(exit::CONFIG, format!("COORD_GENERATION must be a number, not {text:?}"))
    })
}
