//! The ownership document: its text as it was written.

use serde_json::json;

use super::{Matched, ok};
use crate::service::once::Told;
use crate::service::{Answer, Cx, Refusal, ownership};
use crate::store::{Tx, View};

pub(super) fn show(v: &View<'_>, _: &Cx<'_>, _: &Matched<'_>) -> Answer<Told> {
    let (status, text) = ownership::get(v)?.map_or((204, String::new()), |text| (200, text));
    Ok(Told { content_type: Some("text/yaml; charset=utf-8"), ..Told::new(status, text) })
}

pub(super) fn set(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let text = std::str::from_utf8(&m.call.body)
        .map_err(|e| Refusal::new(400, format!("the body is not UTF-8: {e}")))?;
    let was = m.query("was");
    ok(&json!({"ok": true, "rules": ownership::set(tx, cx, text, was.as_deref())?}))
}
