//! What is asked for, read: patterns, symbols, times, and what the ownership document says of them.

use std::time::Duration;

use coord_protocol::lease::Ttl;
use coord_protocol::resource::Resource;
use coord_protocol::symbol;
use coord_protocol::wire::{
    ClaimItem, ClaimType, ClaimsAnswer, CreateClaims, ITEMS_MAX, Severity, WAIT_SECONDS_MAX,
};

use super::judge::Wish;
use super::team::who;
use crate::service::{Cx, Refusal, areas, fields};
use crate::store::{Stored, Tx, WaiterItem};

/// An item, read.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) pattern: String,
    pub(super) resource: Resource,
    /// Canonical; `None`: whole files.
    pub(super) symbols: Option<Vec<String>>,
    pub(super) claim_type: ClaimType,
    pub(super) narrowable: bool,
    pub(super) severity: Severity,
    pub(super) ttl: Ttl,
    /// What the asker should know of it.
    pub(super) warning: Option<String>,
}

/// What can be said of a request before anything is looked up.
pub(super) fn check(ask: &CreateClaims) -> Result<(), Refusal> {
    fields::name("engineer", &ask.engineer)?;
    for (name, value) in [("branch", &ask.branch), ("repo", &ask.repo)] {
        fields::maybe_name(name, value.as_deref())?;
    }
    fields::note("description", ask.description.as_deref())?;
    if let Some(session) = &ask.session_id {
        fields::session("session_id", session)?;
    }
    if ask.ttl_hours.is_some_and(|h| !(0..=720).contains(&h)) {
        return Err(Refusal::new(422, "ttl_hours must be 0 (the default) to 720"));
    }
    if ask.wait_seconds.is_some_and(|s| !(0..=WAIT_SECONDS_MAX).contains(&s)) {
        let why = format!("wait_seconds must be 0 to {WAIT_SECONDS_MAX}");
        return Err(Refusal::new(422, why));
    }
    Ok(())
}

/// Reads the items, or says why they cannot be claims.
pub(super) fn read(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    ask: &CreateClaims,
) -> Stored<Result<Vec<Item>, ClaimsAnswer>> {
    if ask.claims.is_empty() {
        return Ok(Err(bad("No claims were asked for", &["narrow_claim", "escalate"])));
    }
    if ask.claims.len() > ITEMS_MAX {
        let why = format!("More than {ITEMS_MAX} claims in one request");
        return Ok(Err(bad(&why, &["narrow_claim", "escalate"])));
    }
    let areas = areas::of(tx)?;
    let read = |item: &ClaimItem| read_item(cx, ask, item, &areas);
    let items: Result<Vec<_>, _> = ask.claims.iter().map(read).collect();
    let long = |i: &Item| i.resource.is_glob() && i.resource.as_str().len() > LONG;
    let items = items.and_then(|all| {
        if all.iter().filter(|i| long(i)).count() > LONG_MAX {
            return Err(format!("More than {LONG_MAX} patterns longer than {LONG} bytes"));
        }
        let broad = all.iter().filter(|i| i.resource.is_broad()).count();
        if broad <= BROAD_MAX { Ok(all) } else { Err(too_broad(BROAD_MAX)) }
    });
    Ok(items.map_err(|why| bad(&why, &["narrow_claim"])))
}

/// Long patterns of one request: comparing two of them takes long.
const LONG: usize = 150;
const LONG_MAX: usize = 10;
/// Patterns of one request that begin with no folder: each is compared with all claims of the project.
const BROAD_MAX: usize = 20;

/// Why a request with many of them is refused.
pub(super) fn too_broad(most: usize) -> String {
    format!("More than {most} patterns that begin with no folder; name the folders")
}

pub(super) fn bad(why: &str, options: &[&str]) -> ClaimsAnswer {
    ClaimsAnswer {
        warnings: vec![why.to_owned()],
        options: options.iter().map(|o| (*o).to_owned()).collect(),
        ..ClaimsAnswer::default()
    }
}

fn read_item(
    cx: &Cx<'_>,
    ask: &CreateClaims,
    item: &ClaimItem,
    areas: &areas::Areas,
) -> Result<Item, String> {
    let resource = read_pattern(&item.pattern)?;
    let symbols = match item.symbols.as_deref() {
        None | Some([]) => None,
        Some(names) => Some(read_symbols(names)?),
    };
    let shared = item.claim_type == ClaimType::SharedFile || areas.is_shared(&resource);
    let splits = !shared && symbols.is_none() && areas.should_split(&resource);
    let default = item.claim_type == ClaimType::File;
    let gives_way = splits || item.narrowable.unwrap_or(default);
    let hours = ask.ttl_hours.filter(|h| *h > 0);
    #[expect(clippy::cast_precision_loss, reason = "720 at most")]
    let ttl = match hours {
        _ if shared => Ttl::For(cx.rules.team.ttl_shared),
        None => Ttl::For(cx.rules.team.ttl_default),
        Some(h) => Ttl::from_hours(Some(h as f64), Duration::ZERO).map_err(|e| e.to_string())?,
    };
    let warning = splits.then(|| {
        format!(
            "{} is to be split: claim the symbols that you change, others may do the same",
            item.pattern
        )
    });
    Ok(Item {
        pattern: item.pattern.clone(),
        severity: areas.severity(&resource),
        narrowable: gives_way && !shared && default && symbols.is_none(),
        claim_type: if shared { ClaimType::SharedFile } else { item.claim_type },
        resource,
        symbols,
        ttl,
        warning,
    })
}

/// Reads the pattern of a claim, or of a question about claims.
pub(in crate::service) fn read_pattern(raw: &str) -> Result<Resource, String> {
    if raw.trim().is_empty() {
        return Err("Pattern is empty".to_owned());
    }
    if raw.trim().starts_with('!') {
        return Err(format!("Pattern '{raw}' is a negation; claims cannot be negative"));
    }
    Resource::claim(raw).map_err(|e| e.to_string())
}

pub(in crate::service) fn read_symbols(names: &[String]) -> Result<Vec<String>, String> {
    if names.len() > symbol::SYMBOLS_MAX {
        return Err(format!("More than {} symbols in one claim", symbol::SYMBOLS_MAX));
    }
    let mut read = Vec::with_capacity(names.len());
    for raw in names {
        let name = symbol::canonical(raw).ok_or_else(|| format!("{raw:?} is no symbol's name"))?;
        if !read.contains(&name) {
            read.push(name);
        }
    }
    Ok(read)
}

impl Item {
    pub(super) fn wish<'a>(&'a self, ask: &'a CreateClaims) -> Wish<'a> {
        Wish {
            project: ask.repo.as_deref().unwrap_or_default(),
            who: who(ask),
            resource: &self.resource,
            symbols: self.symbols.as_deref(),
            hard: self.severity.is_hard(),
        }
    }

    pub(super) fn for_waiter(&self, waiter: &str) -> WaiterItem {
        WaiterItem {
            waiter: waiter.to_owned(),
            resource: self.resource.as_str().to_owned(),
            symbols: self.symbols.clone(),
            narrowable: self.narrowable,
            hard: self.severity.is_hard(),
        }
    }
}
