//! How a process that speaks for long comes to its end: asked to, in time, or because nobody is there
//! any more; never between saying something and noting that it was said.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use coord_protocol::exit;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::process::getppid;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A stdin that is closed by then never was a sign of life.
const LOOKS_BEFORE_STDIN_COUNTS: u32 = 4;
/// What is being said is waited for so long.
const END_WITHIN: Duration = Duration::from_secs(3);

/// What says whether anybody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ears {
    /// The parent alone.
    Parent,
    /// The pipes as well.
    Pipes,
}

/// Held while something is said and noted.
#[derive(Clone, Default)]
pub(super) struct Speech(Arc<Mutex<()>>);

impl Speech {
    pub(super) fn hold(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the process: that is how it is meant to end.
    fn end(&self) -> ! {
        let until = Instant::now() + END_WITHIN;
        while matches!(self.0.try_lock(), Err(TryLockError::WouldBlock)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        std::process::exit(i32::from(exit::DONE))
    }

    /// On Ctrl-C, and when it is terminated.
    pub(super) fn end_when_asked_to(&self) {
        let speech = self.clone();
        if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) {
            thread::spawn(move || {
                if signals.forever().next().is_some() {
                    speech.end();
                }
            });
        }
    }

    /// After so long.
    pub(super) fn end_after(&self, time: Duration) {
        let speech = self.clone();
        thread::spawn(move || {
            thread::sleep(time);
            speech.end();
        });
    }

    /// When the host tool that it speaks to is gone: nobody else would end it.
    pub(super) fn end_when_alone(&self, ears: Ears) {
        let (speech, parent) = (self.clone(), getppid());
        thread::spawn(move || {
            let mut looks = 0;
            let mut stdin_was_open = false;
            loop {
                let stdin_gone = is_gone(&io::stdin());
                if looks == LOOKS_BEFORE_STDIN_COUNTS {
                    stdin_was_open = !stdin_gone;
                }
                let pipes_gone = is_gone(&io::stdout()) || (stdin_was_open && stdin_gone);
                if getppid() != parent || (ears == Ears::Pipes && pipes_gone) {
                    speech.end();
                }
                looks = looks.saturating_add(1);
                thread::sleep(LOOK_EVERY);
            }
        });
    }
}

/// Whether the other end of a pipe, socket or terminal is gone. A file, or nothing, never is.
fn is_gone(end: &impl AsFd) -> bool {
    let mut asked = [PollFd::new(end, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let found = poll(&mut asked, Some(&at_once));
    found.is_ok() && asked[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_of_a_pipe() {
        let (reader, writer) = io::pipe().unwrap();
        assert!(!is_gone(&reader) && !is_gone(&writer));
        drop(writer);
        assert!(is_gone(&reader));
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert!(is_gone(&writer));
        assert!(!is_gone(&std::fs::File::open("/dev/null").unwrap()));
    }
}
