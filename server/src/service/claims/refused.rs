//! How a request for team claims is told that it cannot be, and what is kept of that.

use coord_protocol::time::Millis;
use coord_protocol::wire::{
    ClaimConflict, ClaimsAnswer, ConflictingClaim, CreateClaims, Severity, SymbolOverlap,
};

use super::items::Item;
use super::judge::Met;
use super::team::{late, who};
use crate::service::{Cx, Notice, fields, hotspots, settle};
use crate::store::{ClaimRow, Stored, Tx, WaiterRow};

/// Conflicts that an answer names, and that are kept.
const CONFLICTS_MAX: usize = 50;
/// What an asker can do about a conflict.
const OPTIONS: [&str; 4] = ["wait", "narrow_claim", "escalate", "override"];

/// What is in the way of an item.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// Somebody's claim.
    Holder {
        /// Which item.
        at: usize,
        /// The claim.
        met: Box<Met>,
        /// The item's symbols that meet the holder's.
        symbols: Vec<String>,
    },
    /// It is free, but somebody has waited for it.
    Waiter {
        /// Which item.
        at: usize,
        /// Who comes first.
        waiter: Box<WaiterRow>,
    },
}

impl Obstacle {
    /// The claim, or the waiter.
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Holder { met, .. } => &met.row.id,
            Self::Waiter { waiter, .. } => &waiter.id,
        }
    }

    /// Which item it stands in the way of.
    pub(super) fn at(&self) -> usize {
        match self {
            Self::Holder { at, .. } | Self::Waiter { at, .. } => *at,
        }
    }
}

/// The answer to a request that is refused.
pub(super) fn answer(items: &[Item], blocked: &[Obstacle]) -> ClaimsAnswer {
    let conflict = |o: &Obstacle| conflict(&items[o.at()], o);
    let more = blocked.len().saturating_sub(CONFLICTS_MAX);
    ClaimsAnswer {
        conflicts: blocked.iter().take(CONFLICTS_MAX).map(conflict).collect(),
        warnings: (more > 0).then(|| format!("and {more} more in the way")).into_iter().collect(),
        options: OPTIONS.map(str::to_owned).to_vec(),
        ..ClaimsAnswer::default()
    }
}

fn conflict(item: &Item, obstacle: &Obstacle) -> ClaimConflict {
    let (conflicting_claim, witness, symbols) = match obstacle {
        Obstacle::Holder { met, symbols, .. } => {
            (conflicting(&met.row), met.witness.clone(), symbols.clone())
        }
        Obstacle::Waiter { waiter, .. } => {
            (waiting(waiter), item.resource.as_str().to_owned(), Vec::new())
        }
    };
    let both = item.symbols.is_some() && conflicting_claim.symbols.is_some();
    let file = if item.resource.is_glob() { witness.clone() } else { item.pattern.clone() };
    ClaimConflict {
        your_pattern: item.pattern.clone(),
        conflicting_claim,
        overlap: vec![witness],
        your_symbols: item.symbols.clone(),
        symbol_overlap: both.then(|| vec![SymbolOverlap { file, symbols }]),
    }
}

/// A claim, as it is named to whom it is in the way of.
pub(super) fn conflicting(row: &ClaimRow) -> ConflictingClaim {
    let team = row.team.as_deref();
    let symbols = team.and_then(|t| t.symbols.clone());
    ConflictingClaim {
        id: row.id.clone(),
        engineer: row.holder().to_owned(),
        pattern: row.pattern().to_owned(),
        severity: team.map_or(Severity::Soft, |t| t.severity),
        description: row.description.as_deref().map(fields::brief),
        expires_at: row.expires_at,
        scope_type: if symbols.is_some() { "symbol" } else { "file" }.to_owned(),
        symbols: symbols.map(|mut s| {
            s.sort_unstable();
            s
        }),
        waiting: false,
    }
}

fn waiting(waiter: &WaiterRow) -> ConflictingClaim {
    ConflictingClaim {
        id: waiter.id.clone(),
        engineer: waiter.engineer.clone(),
        pattern: waiter.pattern.clone(),
        severity: Severity::Soft,
        description: Some("waits in the queue, and comes first".to_owned()),
        expires_at: Some(waiter.expires_at),
        scope_type: if waiter.symbols.is_some() { "symbol" } else { "file" }.to_owned(),
        symbols: waiter.symbols.clone(),
        waiting: true,
    }
}

/// Keeps what was refused: for hot spots, and for the holders, who see it among what is pending.
pub(super) fn note(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    ask: &CreateClaims,
    items: &[Item],
    blocked: &[Obstacle],
) -> Stored<()> {
    let mut met = Vec::new();
    for obstacle in blocked.iter().take(CONFLICTS_MAX) {
        let Obstacle::Holder { at, met: m, symbols } = obstacle else { continue };
        let item = &items[*at];
        hotspots::note_attempt(
            tx,
            cx,
            &hotspots::Attempt {
                project: ask.repo.as_deref().unwrap_or_default(),
                claim: &m.row.id,
                who: who(ask),
                pattern: &item.pattern,
                resource: item.resource.as_str(),
            },
        )?;
        met.push((at, m, symbols));
    }
    tx.count_conflicts(met.len());
    for (at, m, symbols) in met {
        let late = late(ask, &items[*at].pattern);
        let one = [(Met { row: m.row.clone(), witness: m.witness.clone() }, symbols.clone())];
        for notice in settle::conflict_notices(cx, &late, &one) {
            notice.send(tx, cx)?;
        }
    }
    let patterns: Vec<&str> = items.iter().map(|i| i.pattern.as_str()).collect();
    hotspots::after_refusal(tx, cx, &patterns)
}

/// What a holder is told whose file gives way.
pub(super) fn narrowed_notice(ask: &CreateClaims, holder: &ClaimRow, symbols: &[String]) -> Notice {
    let pattern = holder.pattern();
    let until = holder.expires_at.unwrap_or(Millis(0));
    Notice {
        to: holder.session_id.clone(),
        project_key: holder.project_key.clone(),
        subject: format!("{} works on {} in {pattern}", ask.engineer, symbols.join(", ")),
        body: format!(
            "{} has claimed the symbols {} in {pattern}, which you hold until {until}. The file is \
             still yours but for these symbols; leave them alone.",
            ask.engineer,
            symbols.join(", "),
        ),
    }
}
