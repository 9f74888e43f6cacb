//! The entry that the server itself fails on. One that is answered 500 again and again over a long
//! time, while the server is otherwise well, counts as poison (G10).

use std::io;
use std::time::Duration;

use coord_protocol::time::Millis;
use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::files::TROUBLE;

/// Failures after which an entry is given up ...
const TIMES: u32 = 5;
/// ... when this much time has passed since the first.
const OVER: Duration = Duration::from_hours(1);

/// What is remembered of the entry at the head of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    id: String,
    times: u32,
    since: Millis,
}

impl Trouble {
    /// One more failure of `id`: what to remember, and whether it is time to give the entry up.
    pub fn after(before: Option<Self>, id: &str, now: Millis) -> (Self, bool) {
        let t = match before {
            Some(b) if b.id == id && b.since <= now => Self { times: b.times + 1, ..b },
            _ => Self { id: id.to_owned(), times: 1, since: now },
        };
        let poison = t.times >= TIMES && now.since(t.since) >= OVER;
        (t, poison)
    }
}

/// Notes a failure; true when the entry is to be given up. A file that cannot be read counts as
/// none: the entry gets more tries.
pub fn note(disk: &dyn Disk, id: &str, now: Millis) -> io::Result<bool> {
    let before = disk.read(TROUBLE, 0).ok().and_then(|b| serde_json::from_slice(&b).ok());
    let (trouble, poison) = Trouble::after(before, id, now);
    disk.put(TROUBLE, serde_json::to_string(&trouble)?.as_bytes())?;
    Ok(poison)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_times_over_an_hour() {
        let mut t = None;
        for n in 0..10 {
            let (next, poison) = Trouble::after(t, "a", Millis(n * 600_000));
            // The seventh failure is the first that lies an hour after the first.
            assert_eq!(poison, n >= 6, "failure {n}");
            t = Some(next);
        }
        let (other, poison) = Trouble::after(t, "b", Millis(9_000_000));
        assert!(!poison && other.times == 1);
    }
}
