//! A claim that was made while the server was away comes late: it is granted now, with nothing
//! back-dated, or it conflicts, and then both sides are told what they both worked on (G27).

use coord_protocol::claim::Who;
use coord_protocol::resource::Resource;
use coord_protocol::wire::{ClaimLock, EndedLock};

use super::claims::{Met, ended};
use super::{Cx, Notice, fields};
use crate::store::{Stored, Tx};

/// A late wish, as others are told of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Late<'a> {
    pub(super) project: &'a str,
    pub(super) who: Who<'a>,
    /// What its asker is called.
    pub(super) name: &'a str,
    /// As it was sent.
    pub(super) resource: &'a str,
    pub(super) description: Option<&'a str>,
}

impl<'a> Late<'a> {
    pub(super) fn of_lock(ask: &'a ClaimLock) -> Self {
        Self {
            project: &ask.project_key,
            who: Who { session: &ask.session_id, engineer: None },
            name: &ask.session_id,
            resource: &ask.resource,
            description: ask.description.as_deref(),
        }
    }
}

/// What the holders in the way of a late claim are told. Its claimer learns it by the answer.
pub(super) fn conflict_notices(
    cx: &Cx<'_>,
    ask: &Late<'_>,
    in_the_way: &[(Met, Vec<String>)],
) -> Vec<Notice> {
    if !cx.late {
        return Vec::new();
    }
    let to_holder = |(Met { row, witness }, _): &(Met, Vec<String>)| Notice {
        to: row.session_id.clone(),
        project_key: ask.project.to_owned(),
        subject: format!("{} worked on {} too", ask.name, ask.resource),
        body: format!(
            "{} claimed {:?} at {}, while it could not reach the server{}. You hold {:?} since {}; \
             both mean {witness:?}. Your claim stands and the other one was refused, but what was \
             changed there meanwhile may meet your changes.",
            ask.name,
            ask.resource,
            cx.made(),
            what_for(ask),
            row.resource,
            row.acquired_at,
        ),
    };
    in_the_way.iter().map(to_holder).collect()
}

/// What others held of a late claim's resource while it waited, and gave back before now. The claim
/// is granted, as nobody is in its way; those who held it are told.
pub(super) fn held_meanwhile(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    ask: &Late<'_>,
    resource: &Resource,
) -> Stored<Vec<EndedLock>> {
    if !cx.late || cx.waited.is_zero() {
        return Ok(Vec::new());
    }
    let since = cx.made();
    let mut held = Vec::new();
    for row in tx.claims_ended_since(ask.project, since)? {
        // A lease that lapsed is noted as ended only when somebody looks.
        let lapsed_before = row.expires_at.is_some_and(|e| e < since);
        if row.who().is(&ask.who) || row.fence.is_none() || lapsed_before {
            continue;
        }
        let Some(witness) = row.read_resource().and_then(|r| r.overlap(resource)) else {
            continue;
        };
        let notice = Notice {
            to: row.session_id.clone(),
            project_key: ask.project.to_owned(),
            subject: format!("{} worked on {} too", ask.name, ask.resource),
            body: format!(
                "{} claimed {:?} at {}, while it could not reach the server{}, and you held {:?} \
                 meanwhile; both mean {witness:?}. It holds it now. What both of you changed there \
                 may meet.",
                ask.name,
                ask.resource,
                cx.made(),
                what_for(ask),
                row.resource,
            ),
        };
        notice.send(tx, cx)?;
        held.push(ended(&row, row.end_reason.as_deref().unwrap_or("released")));
    }
    Ok(held)
}

fn what_for(ask: &Late<'_>) -> String {
    ask.description.map(|d| format!(" ({})", fields::brief(d))).unwrap_or_default()
}
