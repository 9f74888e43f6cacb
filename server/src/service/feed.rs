//! The change feed: what changed since a cursor, for whom.

use coord_protocol::wire::{Change, ChangeFeed};

use super::{Answer, Cx};
use crate::store::{Changed, Scope, Stored, View};

/// What changed since a cursor. A cursor that says nothing here gets everything from the beginning.
pub fn changes(
    view: &View<'_>,
    cx: &Cx<'_>,
    since: Option<&str>,
    scope: &Scope,
    most: usize,
) -> Answer<ChangeFeed> {
    let known = since.map(|c| place_of(view, c)).transpose()?.flatten();
    let page = view.changes(known.unwrap_or(0), scope, most)?;
    Ok(ChangeFeed {
        changes: page.rows.into_iter().map(change).collect(),
        cursor: format!("{}.{}", view.current_run()?, page.up_to),
        more: page.more,
        reset: known.is_none(),
        time: cx.now,
        time_ms: cx.now.0,
    })
}

fn change(c: Changed) -> Change {
    Change { kind: c.kind.to_owned(), row: c.row }
}

/// The place that a cursor `<run>.<seq>` means, if this database has been there.
fn place_of(view: &View<'_>, cursor: &str) -> Stored<Option<i64>> {
    let Some((run, seq)) = cursor.rsplit_once('.') else { return Ok(None) };
    let Ok(seq) = seq.parse::<i64>() else { return Ok(None) };
    let end = view.end_of_run(run)?;
    Ok(end.filter(|end| (0..=*end).contains(&seq)).map(|_| seq))
}
