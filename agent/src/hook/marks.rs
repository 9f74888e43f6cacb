//! Marks of one conversation in the state folder: files whose time, or mere presence, says what was done
//! last. A hook that has nothing to do finds it out by looking at them, and at nothing else.

use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_server::edge::SystemClock;

use crate::outbox::disk::Disk;
use crate::outbox::real_disk::RealDisk;
use crate::remote::breaker::short_hash;

/// What a mark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A sign of life was given.
    Alive,
    /// It was looked for new mail.
    Looked,
    /// The model has forgotten what it was told.
    Forgot,
    /// The model was kept from stopping, and its person has said nothing since.
    Kept,
    /// The conversation began, and was told what there is.
    Began,
}

/// Beginnings of the names of all marks, for who tidies up.
pub(crate) const PREFIXES: [&str; 5] = ["alive-", "looked-", "forgot-", "kept-", "began-"];

/// Mail was sent from this workstation: it may be for a session here.
const SENT: &str = "mail-sent";

/// The marks of one conversation.
pub(super) struct Marks<'a> {
    state: &'a RealDisk,
    of: u32,
}

impl Mark {
    fn prefix(self) -> &'static str {
        PREFIXES[self as usize]
    }
}

impl<'a> Marks<'a> {
    /// Of this host's conversation.
    pub(super) fn new(state: &'a RealDisk, host: &str, conversation: &str) -> Self {
        Self { state, of: short_hash(&format!("{host} {conversation}")) }
    }

    /// The mark's file, for a lock on it.
    pub(super) fn name(&self, mark: Mark) -> String {
        format!("{}{:08x}", mark.prefix(), self.of)
    }

    /// Sets a mark, or sets it anew. What cannot be written is looked for again.
    pub(super) fn set(&self, mark: Mark) {
        touch(self.state, &self.name(mark));
    }

    /// The same, with a word in it.
    pub(super) fn set_to(&self, mark: Mark, word: &str) {
        // As above.
        let _ = self.state.put(&self.name(mark), word.as_bytes());
    }

    /// Whether it holds this word.
    pub(super) fn says(&self, mark: Mark, word: &str) -> bool {
        self.state.read(&self.name(mark), 0).is_ok_and(|found| found == word.as_bytes())
    }

    /// Takes a mark away; whether it was there.
    pub(super) fn take(&self, mark: Mark) -> bool {
        self.is_set(mark) && self.state.unlink(&self.name(mark)).is_ok()
    }

    /// Whether it is there.
    pub(super) fn is_set(&self, mark: Mark) -> bool {
        matches!(self.state.len(&self.name(mark)), Ok(Some(_)))
    }

    /// Whether it was set so lately. A time from the future is no time.
    pub(super) fn is_young(&self, mark: Mark, age: Duration) -> bool {
        let now = SystemClock.wall().0;
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        written(self.state, &self.name(mark))
            .map(|t| t / 1_000_000)
            .is_some_and(|t| t <= now && now - t < age)
    }

    /// Whether it was set before this moment, in nanoseconds of the wall clock, or never.
    pub(super) fn is_older(&self, mark: Mark, than: i64) -> bool {
        written(self.state, &self.name(mark)) < Some(than)
    }

    /// Whether mail was sent from this workstation since it was set.
    pub(super) fn is_mail_newer(&self, mark: Mark) -> bool {
        written(self.state, SENT) > written(self.state, &self.name(mark))
    }
}

/// When a file was written, in nanoseconds of the wall clock.
fn written(state: &RealDisk, name: &str) -> Option<i64> {
    state.stamp(name).ok().flatten().map(|s| s.modified)
}

fn touch(state: &RealDisk, name: &str) {
    // Some content, as writing nothing leaves a file's time as it was.
    let _ = state.put(name, b".");
}

/// Mail was sent from this workstation: sessions here look for it at their next event.
pub(crate) fn mail_was_sent(state: &RealDisk) {
    touch(state, SENT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_a_conversation() {
        let dir = tempfile::tempdir().unwrap();
        let state = RealDisk::at(dir.path());
        let (a, b) = (Marks::new(&state, "claude", "a"), Marks::new(&state, "claude", "b"));
        assert!(!a.is_young(Mark::Looked, Duration::from_hours(1)) && !a.take(Mark::Looked));
        a.set(Mark::Looked);
        assert!(a.is_young(Mark::Looked, Duration::from_hours(1)));
        assert!(!a.is_young(Mark::Looked, Duration::ZERO));
        assert!(!a.is_set(Mark::Alive) && !b.is_set(Mark::Looked));
        assert!(!a.is_mail_newer(Mark::Looked), "nobody has sent anything");
        std::thread::sleep(Duration::from_millis(20));
        mail_was_sent(&state);
        assert!(a.is_mail_newer(Mark::Looked) && b.is_mail_newer(Mark::Looked));
        std::thread::sleep(Duration::from_millis(20));
        a.set(Mark::Looked);
        assert!(!a.is_mail_newer(Mark::Looked) && b.is_mail_newer(Mark::Looked));
        assert!(a.take(Mark::Looked) && !a.take(Mark::Looked));
    }

    #[test]
    fn each_mark_has_its_name() {
        for (mark, prefix) in [
            (Mark::Alive, "alive-"),
            (Mark::Looked, "looked-"),
            (Mark::Forgot, "forgot-"),
            (Mark::Kept, "kept-"),
            (Mark::Began, "began-"),
        ] {
            assert_eq!(mark.prefix(), prefix);
        }
    }
}
