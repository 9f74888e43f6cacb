//! Each host tool's wiring, as it stands in the files.

use std::collections::BTreeSet;

use super::super::act::survey;
use super::super::host::Host;
use super::super::part::Standing;
use super::super::plan::{Remark, Texts, wired};
use super::super::site::Site;
use super::super::wiring::{self, Owner, Piece, Role, Scope};
use super::{Check, claude, codex};
use crate::config::env::Env;
use crate::ui::neutral;

/// What is there of one site.
pub(super) struct Surveyed<'a> {
    pub(super) site: &'a Site,
    pieces: Vec<Piece>,
    pub(super) texts: Texts,
    bad: Vec<Remark>,
    pub(super) wired: BTreeSet<Host>,
}

impl<'a> Surveyed<'a> {
    fn of(site: &'a Site) -> Self {
        let (pieces, texts, bad) = survey(site);
        let wired = wired(&pieces, &texts);
        Self { site, pieces, texts, bad, wired }
    }
}

pub(super) fn examine(env: &Env, project: Option<&Site>, user: Option<&Site>) -> Vec<Check> {
    let places: Vec<Surveyed<'_>> =
        [project, user].into_iter().flatten().map(Surveyed::of).collect();
    let mut all = Vec::new();
    let found: BTreeSet<Host> = places.iter().flat_map(|p| p.site.hosts(env)).collect();
    for host in Host::ALL {
        let wired: Vec<&Surveyed<'_>> = places.iter().filter(|p| p.wired.contains(&host)).collect();
        let plugin = match host {
            Host::Claude => claude::plugin(&places),
            Host::Codex => codex::plugin(&places),
            Host::Copilot | Host::Cursor | Host::Gemini | Host::Opencode => false,
        };
        if wired.is_empty() && !plugin && !found.contains(&host) {
            continue;
        }
        all.extend(wiring_of(host, &places, &wired, plugin));
        match host {
            Host::Claude => all.extend(claude::examine(&places)),
            Host::Codex if !wired.is_empty() || plugin => {
                all.extend(codex::examine(env, &places));
            }
            _ => {}
        }
    }
    if all.is_empty() {
        let what = "none is found here";
        all.push(Check::ok("host tools", what));
    }
    all.extend(places.iter().find_map(git_hooks));
    all
}

fn wiring_of(
    host: Host,
    places: &[Surveyed<'_>],
    wired: &[&Surveyed<'_>],
    plugin: bool,
) -> Vec<Check> {
    let name = host.name();
    let mut all: Vec<Check> = places.iter().flat_map(|p| damaged(host, p)).collect();
    if !all.is_empty() {
        return all;
    }
    if wired.is_empty() && !plugin {
        let what = format!("{} is found, and not wired", host.title());
        return vec![Check::warn(name, what, format!("coord init --tool {name}"))];
    }
    let mut ways: Vec<&str> = wired
        .iter()
        .map(|p| match p.site.scope {
            Scope::Project => "this project",
            Scope::User => "your settings",
        })
        .collect();
    ways.extend(plugin.then_some("the plugin"));
    if let [_, _, ..] = ways[..] {
        let what = format!("wired more than once: {}", ways.join(", "));
        let fix = "keep one of them (`coord uninstall`, `coord uninstall --user`, the plugin)";
        all.push(Check::warn(name, what, fix));
    }
    for place in wired {
        all.extend(standing(host, place));
    }
    if all.is_empty() {
        all.push(Check::ok(name, format!("wired in {}", ways.join(", "))));
    }
    all
}

/// Files that cannot be read, as far as this host would need them.
fn damaged(host: Host, place: &Surveyed<'_>) -> Vec<Check> {
    let fix = "mend the file, then `coord init`";
    let mut all = Vec::new();
    for piece in of(host, place) {
        let text = place.texts.get(&piece.path).and_then(|t| t.as_deref());
        if let Standing::Damaged(damage) = piece.part.standing(text) {
            let what = format!("{}: {damage}", piece.path.display());
            all.push(Check::fail(host.name(), neutral::line(&what), fix));
        }
    }
    let planned = wiring::of_host(host, place.site.scope, &place.site.places, place.site.chosen());
    for bad in place.bad.iter().filter(|b| planned.iter().any(|p| p.path == b.path)) {
        let what = format!("{}: {}", bad.path.display(), bad.why);
        all.push(Check::fail(host.name(), neutral::line(&what), fix));
    }
    all
}

/// What is not as this version would write it.
fn standing(host: Host, place: &Surveyed<'_>) -> Vec<Check> {
    let name = host.name();
    let user = if place.site.scope == Scope::User { " --user" } else { "" };
    let fix = format!("coord init --tool {name}{user}");
    let chosen = place.site.chosen();
    let wanted = wiring::of_host(host, place.site.scope, &place.site.places, chosen);
    let mut all = Vec::new();
    for piece in of(host, place).filter(|p| wanted.iter().any(|w| w.part == p.part)) {
        let text = place.texts.get(&piece.path).and_then(|t| t.as_deref());
        let file = piece.path.display();
        let role = piece.role.title();
        let what = match piece.part.standing(text) {
            Standing::Present | Standing::Damaged(_) => continue,
            Standing::Stale => format!("{role} in {file}: of another version, or not whole"),
            Standing::Absent if is_elsewhere(place, piece) => continue,
            Standing::Absent => format!("{role} missing in {file}"),
            Standing::Foreign(why) => {
                let what = format!("{role} in {file}: {why}");
                let fix = "rename the other entry, then `coord init`";
                all.push(Check::warn(name, neutral::line(&what), fix));
                continue;
            }
        };
        all.push(Check::warn(name, neutral::line(&what), fix.clone()));
    }
    all
}

/// Whether the same part stands in another file of the host: what may be in either of two.
fn is_elsewhere(place: &Surveyed<'_>, piece: &Piece) -> bool {
    let there = |p: &&Piece| {
        let text = place.texts.get(&p.path).and_then(|t| t.as_deref());
        p.part.standing(text) == Standing::Present
    };
    let twins = place.pieces.iter().filter(|p| p.owner == piece.owner && p.part == piece.part);
    twins.filter(|p| p.path != piece.path).any(|p| there(&p))
}

fn of<'a>(host: Host, place: &'a Surveyed<'_>) -> impl Iterator<Item = &'a Piece> {
    place.pieces.iter().filter(move |p| p.owner == Owner::Host(host))
}

fn git_hooks(place: &Surveyed<'_>) -> Option<Check> {
    use std::os::unix::fs::PermissionsExt as _;
    let name = "git hooks";
    if place.site.scope != Scope::Project {
        return None;
    }
    if let Some(why) = &place.site.no_git_hooks {
        return Some(Check::ok(name, neutral::line(why)));
    }
    let hooks: Vec<&Piece> = place.pieces.iter().filter(|p| p.role == Role::GitHook).collect();
    let text = |p: &Piece| place.texts.get(&p.path).cloned().flatten();
    let standings: Vec<_> = hooks.iter().map(|p| p.part.standing(text(p).as_deref())).collect();
    if standings.iter().all(|s| !matches!(s, Standing::Present | Standing::Stale)) {
        return Some(Check::ok(name, "not wired (`coord init --git-hooks` does it)"));
    }
    let runs =
        |p: &&&Piece| std::fs::metadata(&p.path).is_ok_and(|m| m.permissions().mode() & 0o100 != 0);
    let idle = hooks.iter().find(|p| text(p).is_some() && !runs(p));
    Some(match idle {
        Some(piece) => {
            let file = piece.path.display();
            Check::warn(
                name,
                format!("{file} is not executable: git skips it"),
                format!("chmod +x {file}"),
            )
        }
        None if standings.iter().all(|s| *s == Standing::Present) => {
            Check::ok(name, "pre-commit and pre-push are wired")
        }
        None => Check::warn(name, "of another version, or not whole", "coord init --git-hooks"),
    })
}
