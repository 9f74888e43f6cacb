//! The change feed: what changed since a cursor, for whom.

use coord_protocol::wire::{Change, ChangeFeed};

use super::{Answer, Cx};
use crate::store::{Changed, Scope, Stored, View};

/// The cursor of the latest change, for who wants only what comes from now on.
const NOW: &str = "now";

/// Changes, each with the cursor that stands behind it.
#[derive(Debug)]
pub struct Events {
    /// In order.
    pub events: Vec<(String, Change)>,
    /// How far the look went: behind the last event, or further.
    pub cursor: String,
    /// There is more already.
    pub more: bool,
    /// The cursor said nothing here: this is the beginning of all there is.
    pub reset: bool,
}

/// What changed since a cursor. A cursor that says nothing here gets everything from the beginning.
pub fn changes(
    view: &View<'_>,
    cx: &Cx<'_>,
    since: Option<&str>,
    scope: &Scope,
    most: usize,
) -> Answer<ChangeFeed> {
    let page = events(view, since, scope, most)?;
    Ok(ChangeFeed {
        changes: page.events.into_iter().map(|(_, change)| change).collect(),
        cursor: page.cursor,
        more: page.more,
        reset: page.reset,
        time: cx.now,
        time_ms: cx.now.0,
    })
}

/// The same, with a cursor for each change.
pub fn events(view: &View<'_>, since: Option<&str>, scope: &Scope, most: usize) -> Answer<Events> {
    let run = view.current_run()?;
    let cursor = |seq: i64| format!("{run}.{seq}");
    if since == Some(NOW) {
        let cursor = cursor(view.feed_head()?);
        return Ok(Events { events: Vec::new(), cursor, more: false, reset: false });
    }
    let known = since.map(|c| place_of(view, c)).transpose()?.flatten();
    let page = view.changes(known.unwrap_or(0), scope, most)?;
    Ok(Events {
        events: page.rows.into_iter().map(|c| (cursor(c.seq), change(c))).collect(),
        cursor: cursor(page.up_to),
        more: page.more,
        reset: known.is_none(),
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
