//! What is to change, decided on texts alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::host::Host;
use super::part::{Damage, Part, Standing};
use super::record::{Kept, Record, digest};
use super::wiring::{Owner, Piece, Role};

/// The files as they are; `None` is one that is not there.
pub type Texts = BTreeMap<PathBuf, Option<String>>;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub path: PathBuf,
    /// As it is.
    pub before: Option<String>,
    /// As it is to be; `None` takes it away.
    pub after: Option<String>,
    /// Git runs it.
    pub executable: bool,
}

/// A file and something about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Which.
    pub path: PathBuf,
    /// What.
    pub why: String,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The files that change.
    pub changes: Vec<Change>,
    /// What is left as it is, and why.
    pub notes: Vec<Remark>,
    /// Why nothing can be done.
    pub problems: Vec<Remark>,
    /// What is to be remembered afterwards.
    pub record: Record,
}

/// The parts of each file.
fn by_file(pieces: &[Piece]) -> Vec<(&Path, Vec<Part>, bool)> {
    let mut files: Vec<(&Path, Vec<Part>, bool)> = Vec::new();
    for piece in pieces {
        let executable = piece.role == Role::GitHook;
        match files.iter_mut().find(|(path, ..)| *path == piece.path) {
            Some((_, parts, _)) if parts.contains(&piece.part) => {}
            Some((_, parts, _)) => parts.push(piece.part),
            None => files.push((&piece.path, vec![piece.part], executable)),
        }
    }
    files
}

/// A file with these parts, and why any was left out.
fn with_parts(text: Option<&str>, parts: &[Part]) -> Result<(Option<String>, Vec<String>), Damage> {
    let (mut text, mut skipped) = (text.map(str::to_owned), Vec::new());
    for part in parts {
        let put = part.put(text.as_deref())?;
        if put.skipped.is_empty() || text.is_some() {
            text = Some(put.text);
        }
        skipped.extend(put.skipped);
    }
    Ok((text, skipped))
}

/// A file without these parts.
fn without_parts(
    text: Option<&str>,
    parts: &[Part],
    original: Option<&str>,
) -> Result<Option<String>, Damage> {
    let mut text = text.map(str::to_owned);
    for part in parts {
        let Some(present) = &text else { break };
        text = part.take(present, original)?;
    }
    Ok(text)
}

/// Putting parts in.
pub fn put(pieces: &[Piece], hosts: &BTreeSet<Host>, texts: &Texts, record: &Record) -> Plan {
    let mut plan = Plan { record: record.clone(), ..Plan::default() };
    for (path, parts, executable) in by_file(pieces) {
        let before = texts.get(path).cloned().flatten();
        let kept = record.files.get(path);
        let edited = kept.is_some_and(|k| !k.is_as_left(before.as_deref()));
        let whole = parts.iter().any(|p| matches!(p, Part::Whole(_)));
        match changed(before.as_deref(), &parts, kept) {
            Err(damage) => plan.problem(path, &damage),
            Ok(Changed { after, .. }) if after == before => {}
            Ok(_) if edited && whole && before.is_some() => {
                plan.note(path, "it was changed since coord wrote it; it is left as it is");
            }
            Ok(Changed { after, original, skipped }) => {
                for why in skipped {
                    plan.note(path, why);
                }
                let left = digest(after.as_deref());
                plan.record.files.insert(path.to_owned(), Kept { original, left });
                plan.changes.push(Change { path: path.to_owned(), before, after, executable });
            }
        }
    }
    plan.foreign(pieces, texts);
    if !plan.changes.is_empty() || plan.record.is_kept() {
        plan.record.hosts.extend(hosts);
    }
    plan
}

struct Changed {
    after: Option<String>,
    original: Option<String>,
    skipped: Vec<String>,
}

fn changed(before: Option<&str>, parts: &[Part], kept: Option<&Kept>) -> Result<Changed, Damage> {
    let (after, skipped) = with_parts(before, parts)?;
    let original = match kept {
        Some(kept) if kept.is_as_left(before) => kept.original.clone(),
        kept => without_parts(before, parts, kept.and_then(|k| k.original.as_deref()))?,
    };
    Ok(Changed { after, original, skipped })
}

/// Taking out what these hosts have; all of it when none is left. `wanted` is what `put` would put in
/// for all hosts; `everything` is also what it may have put in before.
pub fn take(
    everything: &[Piece],
    wanted: &[Piece],
    hosts: &BTreeSet<Host>,
    texts: &Texts,
    record: &Record,
) -> Plan {
    let mut plan = Plan { record: record.clone(), ..Plan::default() };
    let mut staying = record.hosts.clone();
    staying.extend(wired(everything, texts));
    staying.retain(|h| !hosts.contains(h));
    let stays = |p: &&Piece| match p.owner {
        Owner::Host(host) => staying.contains(&host),
        Owner::Project | Owner::Git => !staying.is_empty(),
    };
    let keepers: Vec<Piece> = wanted.iter().filter(stays).cloned().collect();
    for (path, parts, executable) in by_file(everything) {
        let Some(before) = texts.get(path).cloned().flatten() else {
            plan.record.files.remove(path);
            continue;
        };
        let keepers = by_file(&keepers).into_iter().find(|(p, ..)| *p == path);
        let keepers = keepers.map_or(Vec::new(), |(_, parts, _)| parts);
        match taken(&before, &parts, &keepers, record.files.get(path)) {
            Err(damage) => plan.problem(path, &damage),
            Ok(Taken::Edited) => {
                plan.note(path, "it was changed since coord wrote it; remove it by hand");
            }
            Ok(Taken::To(after)) => {
                let change =
                    Change { path: path.to_owned(), before: Some(before), after, executable };
                plan.take_out(change, !keepers.is_empty());
            }
        }
    }
    if record.is_kept() {
        plan.record.hosts = staying;
    }
    if plan.record.hosts.is_empty() {
        plan.give_back_others(everything, texts);
        plan.record.files.clear();
    }
    plan
}

enum Taken {
    /// A whole file of ours that somebody has worked on.
    Edited,
    To(Option<String>),
}

fn taken(
    before: &str,
    parts: &[Part],
    keepers: &[Part],
    kept: Option<&Kept>,
) -> Result<Taken, Damage> {
    if let Some(kept) = kept {
        if kept.is_as_left(Some(before)) {
            // As if the hosts that go had never been wired.
            let wanted: Vec<Part> = parts.iter().filter(|p| keepers.contains(p)).copied().collect();
            return Ok(Taken::To(with_parts(kept.original.as_deref(), &wanted)?.0));
        }
        if kept.original.as_deref() == Some(before) {
            return Ok(Taken::To(kept.original.clone()));
        }
    }
    let going: Vec<Part> = parts.iter().filter(|p| !keepers.contains(p)).copied().collect();
    let original = kept.and_then(|k| k.original.as_deref());
    let after = without_parts(Some(before), &going, original)?;
    let whole = going.iter().any(|p| matches!(p, Part::Whole(_)));
    if whole && kept.is_some() && after.as_deref() != Some(before) {
        return Ok(Taken::Edited);
    }
    Ok(Taken::To(after))
}

/// The hosts whose hooks are there.
pub fn wired(everything: &[Piece], texts: &Texts) -> BTreeSet<Host> {
    let hooks = everything.iter().filter(|p| p.role == Role::Hooks);
    let there = hooks.filter(|p| {
        let text = texts.get(&p.path).and_then(|t| t.as_deref());
        matches!(p.part.standing(text), Standing::Present | Standing::Stale)
    });
    there
        .filter_map(|p| match p.owner {
            Owner::Host(host) => Some(host),
            Owner::Project | Owner::Git => None,
        })
        .collect()
}

impl Plan {
    fn problem(&mut self, path: &Path, damage: &Damage) {
        self.problems.push(Remark { path: path.to_owned(), why: damage.to_string() });
    }

    fn note(&mut self, path: &Path, why: impl Into<String>) {
        let remark = Remark { path: path.to_owned(), why: why.into() };
        if !self.notes.contains(&remark) {
            self.notes.push(remark);
        }
    }

    /// A file without what goes; something of ours may stay in it.
    fn take_out(&mut self, change: Change, something_stays: bool) {
        let changes = change.after != change.before;
        match self.record.files.get_mut(&change.path) {
            Some(kept) if something_stays && changes => kept.left = digest(change.after.as_deref()),
            Some(_) if !something_stays => {
                self.record.files.remove(&change.path);
            }
            Some(_) | None => {}
        }
        if changes {
            self.changes.push(change);
        }
    }

    /// Files on record in which no host has a part any more (git's hooks are in another folder now,
    /// say): as they were, unless somebody else has changed them.
    fn give_back_others(&mut self, everything: &[Piece], texts: &Texts) {
        let others = self.record.files.clone().into_iter();
        for (path, kept) in others.filter(|(p, _)| !everything.iter().any(|e| e.path == *p)) {
            let before = texts.get(&path).cloned().flatten();
            if before == kept.original {
                continue;
            }
            if kept.is_as_left(before.as_deref()) {
                let after = kept.original;
                self.changes.push(Change { path, before, after, executable: false });
            } else {
                self.note(
                    &path,
                    "it was changed since coord wrote it; take coord's part out by hand",
                );
            }
        }
    }

    /// What is somebody else's is said each time, also when nothing changes.
    fn foreign(&mut self, pieces: &[Piece], texts: &Texts) {
        for piece in pieces {
            let text = texts.get(&piece.path).and_then(|t| t.as_deref());
            if let Standing::Foreign(why) = piece.part.standing(text) {
                self.note(&piece.path, why);
            }
        }
    }
}
