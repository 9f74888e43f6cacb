//! The rewrite: the only operation that changes names in the outbox (reliability 5.4). It gives
//! ids to lines that lack one, drops what is settled, and sets aside what is no entry. Killing it
//! anywhere loses nothing and repeats nothing (5.5).

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use coord_protocol::edge::{Clock, Rng};
use coord_protocol::id::adopted_id;

use super::dead::{self, Letter};
use super::disk::{Disk, Entry, Quiet, Share};
use super::files::{ASIDE, LOCK, QUEUE, TMP_PREFIX};
use super::journal;
use super::line::{self, Line, complete_lines};

/// A foreign program can make a new queue file in each gap; each turn takes that one in too.
const TURNS_MAX: usize = 64;
/// Where nobody can tell whether a file is still written to, it counts as quiet after this.
const QUIET_AFTER: Duration = Duration::from_hours(1);

/// What a rewrite did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// The public file holds exactly the pending entries.
    Done,
    /// Appenders were busy; nothing was changed.
    PutOff,
}

/// A queue file moved aside: `<generation>-<bytes copied>`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Aside {
    generation: String,
    copied: u64,
    /// No rewrite has looked into it and come to its end: its lines are in their order (G4). What
    /// comes into it later is late.
    fresh: bool,
    entry: Entry,
}

/// The copied part of a file that nobody has read ...
const NEVER_READ: &str = "0";
/// ... and of one that was read and had no whole line.
const NOTHING_COPIED: &str = "00";

impl Aside {
    fn parse(entry: &Entry) -> Option<Self> {
        let (generation, mark) = entry.name.rsplit_once('-')?;
        let copied = mark.parse().ok()?;
        let (generation, fresh) = (generation.to_owned(), mark == NEVER_READ);
        Some(Self { generation, copied, fresh, entry: entry.clone() })
    }

    fn path(&self) -> String {
        format!("{ASIDE}/{}", self.entry.name)
    }

    /// Its path when this much of it is copied.
    fn path_copied(&self, upto: u64) -> String {
        let Self { generation, .. } = self;
        if upto == 0 {
            format!("{ASIDE}/{generation}-{NOTHING_COPIED}")
        } else {
            format!("{ASIDE}/{generation}-{upto}")
        }
    }
}

/// Files moved aside, oldest first.
fn asides(disk: &dyn Disk) -> io::Result<Vec<Aside>> {
    let mut all: Vec<_> = disk.list(ASIDE)?.iter().filter_map(Aside::parse).collect();
    all.sort_by(|a, b| a.generation.cmp(&b.generation));
    Ok(all)
}

/// Whether anything lies aside that a rewrite has to look at.
pub fn has_asides(disk: &dyn Disk) -> io::Result<bool> {
    Ok(!asides(disk)?.is_empty())
}

/// What lies aside and is not in the public file yet: a rewrite is at work, or was killed.
pub fn lying_aside(disk: &dyn Disk, clock: &dyn Clock) -> io::Result<Vec<line::Entry>> {
    let found = collect(disk, clock, &journal::settled(disk)?)?;
    let entry = |text: &str| match line::parse(text.as_bytes()) {
        Line::Entry(e) => Some(*e),
        Line::Blank | Line::Broken(_) => None,
    };
    Ok(found.text.lines().filter_map(entry).collect())
}

/// Rewrites the queue, waiting for appenders at most `wait`; not got, it is put off.
pub fn rewrite(
    disk: &dyn Disk,
    clock: &dyn Clock,
    rng: &dyn Rng,
    wait: Duration,
) -> io::Result<Rewrite> {
    let Some(_lock) = disk.lock(LOCK, Share::Exclusive, wait)? else {
        return Ok(Rewrite::PutOff);
    };
    remove_leftovers(disk)?;
    let settled = journal::settled(disk)?;
    for _ in 0..TURNS_MAX {
        move_aside(disk, clock, rng)?;
        let found = collect(disk, clock, &settled)?;
        dead::add(disk, &found.letters)?;
        if link_in(disk, rng, &found.text)? {
            disk.sync_dir("")?;
            count_as_copied(disk, &found.copied)?;
            let_go(disk, clock)?;
            disk.sync_dir(ASIDE)?;
            journal::clear(disk)?;
            disk.sync_dir("")?;
            return Ok(Rewrite::Done);
        }
    }
    Err(io::Error::other("a foreign program makes a new queue file all the time"))
}

fn remove_leftovers(disk: &dyn Disk) -> io::Result<()> {
    for e in disk.list("")?.iter().filter(|e| e.name.starts_with(TMP_PREFIX)) {
        disk.unlink(&e.name)?;
    }
    disk.make_dir(ASIDE)
}

/// Step 2. The generation is 20 digits of nanoseconds and 4 random bytes: unique and rising, also
/// when the clock is not.
fn move_aside(disk: &dyn Disk, clock: &dyn Clock, rng: &dyn Rng) -> io::Result<()> {
    let last =
        asides(disk)?.last().and_then(|a| a.generation.get(..20)?.parse::<u64>().ok()).unwrap_or(0);
    let now = u64::try_from(clock.wall().0).unwrap_or(0).saturating_mul(1_000_000);
    let generation =
        format!("{:020}{:08x}", now.max(last.saturating_add(1)), rng.u64() & 0xffff_ffff);
    match disk.rename(QUEUE, &format!("{ASIDE}/{generation}-{NEVER_READ}")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// What the moved files hold.
struct Found {
    /// The new public file.
    text: String,
    letters: Vec<Letter>,
    /// Each file, and up to where it is in `text` now.
    copied: Vec<(Aside, u64)>,
}

/// Step 3: first the files that were never read, oldest first; then what came late into others.
fn collect(disk: &dyn Disk, clock: &dyn Clock, settled: &HashSet<String>) -> io::Result<Found> {
    let (fresh, read): (Vec<_>, Vec<_>) = asides(disk)?.into_iter().partition(|a| a.fresh);
    let mut found = Found { text: String::new(), letters: Vec::new(), copied: Vec::new() };
    let mut taken: HashSet<String> = HashSet::new();
    for aside in fresh.into_iter().chain(read) {
        let bytes = disk.read(&aside.path(), aside.copied)?;
        let (mut lines, mut end) = complete_lines(&bytes);
        let rest = &bytes[usize::try_from(end).unwrap_or(bytes.len())..];
        if matches!(line::parse(rest), Line::Entry(_)) {
            // A whole entry that only lacks its newline (G8).
            lines.push((end, rest));
            end += rest.len() as u64;
        }
        for (at, raw) in lines {
            let adopted = || adopted_id(&aside.generation, aside.copied + at);
            match line::parse(raw) {
                Line::Blank => {}
                Line::Broken(why) => {
                    found.letters.push(Letter::broken(clock.wall(), adopted(), &why, raw));
                }
                Line::Entry(e) => {
                    let (id, text) = if let Some(id) = &e.request.id {
                        (id.clone(), e.text.clone())
                    } else {
                        let id = adopted().to_string();
                        let text = e.text_with_id(&id);
                        (id, text)
                    };
                    if !settled.contains(&id) && taken.insert(id) {
                        found.text.push_str(&text);
                        found.text.push('\n');
                    }
                }
            }
        }
        let upto = aside.copied + end;
        found.copied.push((aside, upto));
    }
    Ok(found)
}

/// Steps 4 and 5. False: somebody made a new queue file meanwhile.
fn link_in(disk: &dyn Disk, rng: &dyn Rng, text: &str) -> io::Result<bool> {
    if text.is_empty() {
        return Ok(true);
    }
    let tmp = format!("{TMP_PREFIX}{:016x}", rng.u64());
    disk.create(&tmp, text.as_bytes())?;
    disk.sync(&tmp)?;
    let linked = disk.link(&tmp, QUEUE);
    disk.unlink(&tmp)?;
    match linked {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

/// Step 6. Only now: before the copy is durable, a crash must make the next rewrite read again.
/// The newest first: after a crash between two of them, those that are read again are older than
/// all that is only in the copy, and so stand before it (G4).
fn count_as_copied(disk: &dyn Disk, copied: &[(Aside, u64)]) -> io::Result<()> {
    for (aside, upto) in copied.iter().rev().filter(|(a, upto)| a.fresh || a.copied != *upto) {
        disk.rename(&aside.path(), &aside.path_copied(*upto))?;
    }
    Ok(())
}

/// Step 7: a moved file goes when all of it is copied and nobody can write to it any more. A torn
/// end that nobody will complete becomes a dead letter.
fn let_go(disk: &dyn Disk, clock: &dyn Clock) -> io::Result<()> {
    for aside in asides(disk)? {
        let quiet = match disk.unwritten(&aside.path()) {
            Quiet::Yes => true,
            Quiet::No => false,
            Quiet::Unknown => clock.wall().since(aside.entry.modified) > QUIET_AFTER,
        };
        if !quiet {
            continue;
        }
        // Read after the look: what came before it is seen here.
        let rest = disk.read(&aside.path(), aside.copied)?;
        if rest.contains(&b'\n') || matches!(line::parse(&rest), Line::Entry(_)) {
            continue;
        }
        if line::parse(&rest) != Line::Blank {
            let id = adopted_id(&aside.generation, aside.copied);
            let letter = Letter::broken(clock.wall(), id, "torn end of a line", &rest);
            dead::add(disk, &[letter])?;
        }
        disk.unlink(&aside.path())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::files::DEAD;
    use super::super::real_disk::RealDisk;
    use super::*;
    use coord_server::edge::{OsRng, SystemClock};

    fn run(disk: &RealDisk) {
        assert_eq!(
            rewrite(disk, &SystemClock, &OsRng, Duration::from_secs(2)).unwrap(),
            Rewrite::Done
        );
    }

    fn queue(disk: &RealDisk) -> String {
        disk.read(QUEUE, 0).map(|b| String::from_utf8(b).unwrap()).unwrap_or_default()
    }

    const A: &str = r#"{"method":"POST","path":"/a","id":"a"}"#;
    const B: &str = r#"{"method":"POST","path":"/b"}"#;

    #[test]
    fn adopts_drops_and_sets_aside() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(dir.path()).unwrap();
        let text = format!("{A}\nrubbish\n\n{A}\n{B}\n{}", r#"{"method":"POST","path":"/c"}"#);
        std::fs::write(dir.path().join(QUEUE), text).unwrap();
        run(&disk);
        let once = queue(&disk);
        let lines: Vec<_> = once.lines().collect();
        assert_eq!(lines.len(), 3, "{once}");
        assert_eq!(lines[0], A);
        assert!(lines[1].contains("\"/b\"") && lines[1].contains("\"id\""), "{once}");
        let letters = dead::list(&disk).unwrap();
        assert_eq!(letters.len(), 1);
        assert!(letters[0].id.is_some() && letters[0].text.as_deref() == Some("rubbish"));
        // Again: nothing changes, and nothing lies aside.
        run(&disk);
        assert_eq!(queue(&disk), once);
        assert!(!has_asides(&disk).unwrap());
        assert!(disk.len(DEAD).unwrap().is_some());
    }

    #[test]
    fn a_late_line_of_a_slow_writer_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(dir.path()).unwrap();
        std::fs::write(dir.path().join(QUEUE), format!("{A}\n")).unwrap();
        let mut slow =
            std::fs::OpenOptions::new().append(true).open(dir.path().join(QUEUE)).unwrap();
        run(&disk);
        assert!(has_asides(&disk).unwrap(), "kept while somebody may still write");
        io::Write::write_all(&mut slow, format!("{B}\n").as_bytes()).unwrap();
        drop(slow);
        run(&disk);
        assert_eq!(queue(&disk).lines().count(), 2);
        assert!(!has_asides(&disk).unwrap());
    }

    #[test]
    fn a_file_with_nothing_in_it_asks_for_a_rewrite() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(dir.path()).unwrap();
        for empty in ["", "\n\0\n"] {
            std::fs::write(dir.path().join(QUEUE), empty).unwrap();
            assert!(super::super::view::pending(&disk).unwrap().untidy);
            run(&disk);
            assert_eq!(disk.len(QUEUE).unwrap(), None);
        }
        assert!(!super::super::view::pending(&disk).unwrap().untidy);
    }

    #[test]
    fn settled_entries_vanish_and_the_file_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(dir.path()).unwrap();
        std::fs::write(dir.path().join(QUEUE), format!("{A}\n")).unwrap();
        journal::note(&disk, &[("a".into(), 201)]).unwrap();
        run(&disk);
        assert_eq!(disk.len(QUEUE).unwrap(), None);
        assert!(journal::is_empty(&disk).unwrap());
    }
}
