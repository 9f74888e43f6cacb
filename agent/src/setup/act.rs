//! Wiring and unwiring a site: read, plan, and, when that is wanted, write.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::files::{
    Staged, make_folders, missing_folders, put_private, read_all, remove_emptied, remove_empty,
    remove_left_over, resolve, stage,
};
use super::host::Host;
use super::plan::{self, Change, Plan, Remark, Texts};
use super::record::Record;
use super::site::Site;
use super::wiring::{self, Piece, Scope};

/// What is to be done at a site. While it is held, no other `coord init` works there.
pub struct Prepared {
    /// Where.
    pub site: Site,
    /// What.
    pub plan: Plan,
    /// For whom.
    pub hosts: BTreeSet<Host>,
    before: Record,
    _turn: File,
}

/// Plans to wire these hosts.
pub fn init(site: Site, hosts: BTreeSet<Host>, with_git: bool) -> io::Result<Prepared> {
    let (turn, record) = open(&site)?;
    let chosen = site.chosen();
    let of_hosts = hosts.iter().flat_map(|h| wiring::of_host(*h, site.scope, &site.places, chosen));
    let mut pieces: Vec<Piece> = of_hosts.collect();
    if site.scope == Scope::Project {
        pieces.extend(wiring::of_project(&site.places));
    }
    if with_git {
        pieces.extend(wiring::of_git(&site.places));
    }
    let (pieces, texts, bad) = look(&site, pieces);
    let mut plan = plan::put(&pieces, &hosts, &texts, &record);
    plan.problems.splice(0..0, bad);
    if let (true, Some(why)) = (with_git, &site.no_git_hooks) {
        let path = site.root().join(".git/hooks");
        plan.problems.push(Remark { path, why: why.clone() });
    }
    Ok(Prepared { site, plan, hosts, before: record, _turn: turn })
}

/// Plans to take away what these hosts have.
pub fn uninstall(site: Site, hosts: BTreeSet<Host>) -> io::Result<Prepared> {
    let (turn, record) = open(&site)?;
    let everything = wiring::everything(site.scope, &site.places);
    // Where a link leads out, nothing was ever written.
    let (pieces, mut texts, bad) = look(&site, everything);
    let on_record = record.files.keys().filter(|p| !texts.contains_key(*p));
    // Only where each is still the file that it was.
    let same = on_record.filter(|p| resolve(p, |t| t == p.as_path()).is_ok());
    let (more, _) = read_all(same.map(PathBuf::as_path));
    texts.extend(more);
    let wanted = all_pieces(&site);
    let (wanted, _, _) = look(&site, wanted);
    let mut plan = plan::take(&pieces, &wanted, &hosts, &texts, &record);
    let known = bad.into_iter().filter(|b| record.files.contains_key(&b.path));
    plan.problems.extend(known);
    Ok(Prepared { site, plan, hosts, before: record, _turn: turn })
}

/// What all hosts would get as the site is now, and git.
fn all_pieces(site: &Site) -> Vec<Piece> {
    let chosen = site.chosen();
    let of = |h: Host| wiring::of_host(h, site.scope, &site.places, chosen);
    let mut all: Vec<Piece> = Host::ALL.into_iter().flat_map(of).collect();
    if site.scope == Scope::Project {
        all.extend(wiring::of_project(&site.places));
        all.extend(wiring::of_git(&site.places));
    }
    all
}

/// Everything of coord's that is at a site, as it is now.
pub fn survey(site: &Site) -> (Vec<Piece>, Texts, Vec<Remark>) {
    look(site, wiring::everything(site.scope, &site.places))
}

fn open(site: &Site) -> io::Result<(File, Record)> {
    let turn = File::open(site.root())?;
    turn.lock()?;
    let record = site.record().map_err(|why| {
        let file = site.record_file();
        io::Error::other(format!(
            "{}: {why}; remove it, and coord goes by what it finds in the files",
            file.display()
        ))
    })?;
    Ok((turn, record))
}

/// The pieces where their files really lie, and what these hold.
fn look(site: &Site, pieces: Vec<Piece>) -> (Vec<Piece>, Texts, Vec<Remark>) {
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    for piece in pieces {
        match resolve(&piece.path, |target| site.may_be_at(piece.owner, target)) {
            Ok(path) => found.push(Piece { path, ..piece }),
            Err(why) => bad.push(Remark { path: piece.path, why }),
        }
    }
    let (texts, unread) = read_all(found.iter().map(|p| p.path.as_path()));
    bad.extend(unread.into_iter().map(|(path, why)| Remark { path, why }));
    bad.dedup();
    // What cannot be read cannot be judged.
    found.retain(|p| !bad.iter().any(|b| b.path == p.path));
    (found, texts, bad)
}

impl Prepared {
    /// Whether there is anything to write.
    pub fn changes_anything(&self) -> bool {
        !self.plan.changes.is_empty() || self.plan.record != self.before
    }

    /// Does it: all of it, or nothing.
    pub fn carry_out(self) -> io::Result<()> {
        if !self.changes_anything() {
            return Ok(());
        }
        let mut record = self.plan.record.clone();
        if !record.is_kept() {
            stage(&self.plan.changes)?.commit()?;
            self.prune();
            return self.forget(&record);
        }
        // Before the files: killed between, coord still knows what was there.
        record.folders.extend(missing_folders(&self.plan.changes));
        self.remember(&mut record)?;
        if let Err(e) = stage(&self.plan.changes).and_then(Staged::commit) {
            if self.before.is_kept() {
                self.remember(&mut self.before.clone())?;
            } else {
                self.forget(&Record { folders: record.folders, ..Record::default() })?;
            }
            return Err(e);
        }
        if self.plan.changes.iter().any(|c| c.after.is_none()) {
            self.prune();
            record.folders = remove_empty(&record.folders);
            self.remember(&mut record)?;
        }
        Ok(())
    }

    fn remember(&self, record: &mut Record) -> io::Result<()> {
        let mut made = Vec::new();
        make_folders(&self.site.state, &mut made)?;
        if made.last() == Some(&self.site.state) {
            fs::set_permissions(&self.site.state, fs::Permissions::from_mode(0o700))?;
        }
        record.folders.splice(0..0, made);
        put_private(&self.site.record_file(), serde_json::to_string(record)?.as_bytes())
    }

    /// Nothing is wired any more.
    fn forget(&self, record: &Record) -> io::Result<()> {
        match fs::remove_file(self.site.record_file()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
        self.before.files.keys().for_each(|path| remove_left_over(path));
        remove_empty(&record.folders);
        Ok(())
    }

    /// Of files that another clone's `coord init` made, the folders are not on record.
    fn prune(&self) {
        let unknown = |c: &&Change| !self.before.files.contains_key(&c.path) && !c.executable;
        let gone: Vec<Change> = self.plan.changes.iter().filter(unknown).cloned().collect();
        remove_emptied(&gone, self.site.root());
    }

    /// A file's name as people see it.
    pub fn name_of(&self, path: &Path) -> String {
        let below = path.strip_prefix(self.site.root()).ok().map(PathBuf::from);
        below.unwrap_or_else(|| path.to_owned()).display().to_string()
    }
}
