//! How two claims that touch stand to each other (`peer_api`, section 7). Pure: who holds what, and
//! whether the patterns touch at all, is found out before.

use crate::symbol;

/// Who holds or asks: a session, an engineer, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who<'a> {
    /// Its session; empty: none.
    pub session: &'a str,
    /// The name it goes by; a lock has none.
    pub engineer: Option<&'a str>,
}

impl Who<'_> {
    /// Whether both are the same: one session, or one engineer.
    pub fn is(&self, other: &Who<'_>) -> bool {
        let session = !self.session.is_empty() && self.session == other.session;
        session || (self.engineer.is_some() && self.engineer == other.engineer)
    }
}

/// One side of a pair.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Canonical names; `None`: the whole file.
    pub symbols: Option<&'a [String]>,
    /// A whole file that gives way to claims on symbols in it.
    pub narrowable: bool,
    /// In an area where nothing is resolved by itself.
    pub hard: bool,
}

/// What becomes of a wish that meets a claim of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pair {
    /// It cannot be.
    Conflict {
        /// The asker's symbols that meet the holder's; empty where not both name symbols.
        symbols: Vec<String>,
    },
    /// Both name symbols, and none meets another: both have theirs.
    Coexist,
    /// The holder's file is the holder's but for these symbols.
    Narrow,
}

/// Judges a pair whose patterns touch.
pub fn judge(holder: &Side<'_>, asker: &Side<'_>) -> Pair {
    match (holder.symbols, asker.symbols) {
        (Some(theirs), Some(mine)) => {
            let symbols = symbol::overlapping(mine, theirs);
            if symbols.is_empty() && !holder.hard && !asker.hard {
                Pair::Coexist
            } else {
                Pair::Conflict { symbols }
            }
        }
        (None, Some(_)) if holder.narrowable && !holder.hard && !asker.hard => Pair::Narrow,
        (None | Some(_), None) | (None, Some(_)) => Pair::Conflict { symbols: Vec::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: &[&str]) -> Vec<String> {
        n.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn the_table_of_the_reference() {
        let (f, g) = (names(&["Router::handle"]), names(&["Router::close", "x"]));
        let file = |narrowable| Side { symbols: None, narrowable, hard: false };
        let some = |s| Side { symbols: Some(s), narrowable: false, hard: false };
        let no = || Pair::Conflict { symbols: Vec::new() };
        assert_eq!(judge(&file(true), &file(true)), no());
        assert_eq!(judge(&some(&f), &some(&g)), Pair::Coexist);
        assert_eq!(judge(&some(&f), &some(&f)), Pair::Conflict { symbols: f.clone() });
        assert_eq!(judge(&file(true), &some(&f)), Pair::Narrow);
        assert_eq!(judge(&file(false), &some(&f)), no());
        assert_eq!(judge(&some(&f), &file(true)), no());
        let hard = Side { hard: true, ..some(&f) };
        assert_eq!(judge(&hard, &some(&g)), no());
        assert_eq!(judge(&Side { hard: true, ..file(true) }, &some(&f)), no());
    }

    #[test]
    fn who_is_who() {
        let who = |session, engineer| Who { session, engineer };
        assert!(who("s", Some("a")).is(&who("s", Some("b"))));
        assert!(who("s", Some("a")).is(&who("t", Some("a"))));
        assert!(!who("", Some("a")).is(&who("", Some("b"))));
        assert!(!who("s", None).is(&who("t", None)));
        assert!(!who("", None).is(&who("", None)));
    }
}
