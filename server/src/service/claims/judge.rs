//! What a wish meets: the one place where it is found out whose claims stand in its way. Locks, file
//! locks, team claims and mere questions all come through here.

use std::time::Duration;

use coord_protocol::claim::{self, Pair, Side, Who};
use coord_protocol::lease::{Standing, standing};
use coord_protocol::resource::Resource;
use coord_protocol::symbol;
use coord_protocol::time::Millis;
use coord_protocol::wire::ClaimKind;

use super::End;
use crate::service::{Cx, Rules};
use crate::store::{ClaimRow, Stored, View};

/// What somebody wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) project: &'a str,
    pub(super) who: Who<'a>,
    pub(super) resource: &'a Resource,
    /// Canonical; `None`: whole files.
    pub(super) symbols: Option<&'a [String]>,
    /// In an area where nothing is resolved by itself.
    pub(super) hard: bool,
}

/// A claim that a wish touches.
#[derive(Debug)]
pub(in crate::service) struct Met {
    pub(in crate::service) row: ClaimRow,
    /// A path that both mean.
    pub(in crate::service) witness: String,
}

/// What a wish meets.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Claims that are over, and why.
    pub(super) over: Vec<(ClaimRow, End)>,
    /// The asker's own.
    pub(super) own: Vec<ClaimRow>,
    /// Those of others that it can stand beside.
    pub(super) beside: Vec<(Met, Pair)>,
    /// Those that it cannot, with the asker's symbols that meet theirs.
    pub(super) in_the_way: Vec<(Met, Vec<String>)>,
    /// The comparison was given up: patterns like these take too long.
    pub(super) too_costly: bool,
}

/// Steps of one comparison with all claims there: some tenths of a second.
const STEPS_MAX: usize = 1_000_000;
/// What a wish is told that was given up.
pub(super) const TOO_COSTLY: &str =
    "The pattern takes too long to compare with those that are held there; use a simpler one";

/// How a claim stands now: by its time, and by the silence that its kind allows.
pub(in crate::service) fn standing_of(now: Millis, rules: &Rules, row: &ClaimRow) -> Standing {
    let silence = match row.kind {
        ClaimKind::Lock | ClaimKind::File => rules.stale_after,
        ClaimKind::Claim if row.session_id.is_empty() => Duration::MAX,
        ClaimKind::Claim => rules.team.idle_after.unwrap_or(Duration::MAX),
    };
    standing(now, row.expires_at, row.last_activity, silence)
}

/// Looks for all that a wish touches.
pub(super) fn look(view: &View<'_>, cx: &Cx<'_>, wish: &Wish<'_>) -> Stored<Found> {
    let rows = view.claims_near(wish.project, wish.resource)?;
    Ok(sift(rows, wish, cx.now, cx.rules))
}

/// The same among these rows.
fn sift(rows: Vec<ClaimRow>, wish: &Wish<'_>, now: Millis, rules: &Rules) -> Found {
    let mut found = Found::default();
    let mut others = Vec::new();
    let mut steps = 0;
    for row in rows {
        let Some(resource) = row.read_resource() else { continue };
        steps += resource.cost_with(wish.resource);
        if steps > STEPS_MAX {
            return Found { too_costly: true, ..Found::default() };
        }
        let Some(witness) = resource.overlap(wish.resource) else { continue };
        match standing_of(now, rules, &row) {
            Standing::Expired => found.over.push((row, End::Expired)),
            Standing::Stale | Standing::Live if row.who().is(&wish.who) => found.own.push(row),
            Standing::Stale => found.over.push((row, End::Stale)),
            Standing::Live => others.push(Met { row, witness }),
        }
    }
    let agreed = agreed_with(&found.own, wish);
    for met in others {
        if agreed.contains(&met.row.id) && side_of(&met.row).symbols.is_none() {
            continue;
        }
        match claim::judge(&side_of(&met.row), &Side { symbols: wish.symbols, ..wish.side() }) {
            Pair::Conflict { symbols } => found.in_the_way.push((met, symbols)),
            pair @ (Pair::Coexist | Pair::Narrow) => found.beside.push((met, pair)),
        }
    }
    found
}

impl Wish<'_> {
    fn side(&self) -> Side<'_> {
        Side { symbols: self.symbols, narrowable: false, hard: self.hard }
    }
}

fn side_of(row: &ClaimRow) -> Side<'_> {
    row.team.as_deref().map_or(Side { symbols: None, narrowable: false, hard: false }, |t| Side {
        symbols: t.symbols.as_deref(),
        narrowable: t.narrowable,
        hard: t.severity.is_hard(),
    })
}

/// Claims whose holders may have agreed to what is wished: it lies within a claim of the asker's own
/// that stands beside them. What a partner holds of symbols stays protected: only whole files are
/// shared by agreement.
fn agreed_with(own: &[ClaimRow], wish: &Wish<'_>) -> Vec<String> {
    let within = |row: &&ClaimRow| {
        let symbols = row.team.as_ref().and_then(|t| t.symbols.as_deref());
        let has_symbols = match (symbols, wish.symbols) {
            (None, _) => true,
            (Some(mine), Some(wished)) => symbol::covers(mine, wished),
            (Some(_), None) => false,
        };
        has_symbols && row.read_resource().is_some_and(|r| r.covers(wish.resource))
    };
    let partners = own.iter().filter(within).filter_map(|r| r.team.as_ref());
    partners.flat_map(|t| t.partners.iter().cloned()).collect()
}
