//! The reconnect report: what became of writes that had waited, kept for each session until it was
//! told (G27). Written by the drain before an entry counts as settled, so a kill in between repeats
//! news and loses none; the same news twice counts once.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::DirEntry;
use std::io;
use std::path::Path;
use std::time::Duration;

use coord_protocol::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disk::{Disk, Share};
use super::drain::Settled;
use super::files::{DRAIN_LOCK, NEWS_PREFIX};
use super::keep::{ends_claims, is_claim, named_ends};
use super::line::{complete_lines, trim};
use crate::remote::breaker::short_hash;
use crate::ui::claim_words;
use crate::ui::write_words::{what, wished};

/// What nobody was told for so long is nobody's any more.
const KEPT_FOR: Duration = Duration::from_hours(168);
/// Letting go of told news waits so long for a drain; else the news is told once more.
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The server did it.
    Applied,
    /// A claim was granted now.
    Granted,
    /// Claims were given back; the words are their ids.
    Released,
    /// A claim was refused: somebody else holds it.
    Lost,
    /// A claim came after its time.
    Past,
    /// The server refused it; it is a dead letter.
    Refused,
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The write.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// In words; empty when it was simply applied.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// Of granted team claims: their ids, as one write may be given back in part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: Millis,
    session: String,
    items: Vec<Item>,
}

/// The untold news of a session.
#[derive(Debug, Clone, Default)]
pub struct News {
    /// Each write once, in order.
    pub items: Vec<Item>,
    /// How much of the file this is.
    read: u64,
}

impl News {
    /// What is worth a line of its own.
    pub fn notable(&self) -> Vec<&Item> {
        notable(&self.items)
    }
}

/// What is worth a line of its own: not what was simply done, nor a claim that was given back since.
pub fn notable(items: &[Item]) -> Vec<&Item> {
    let back: Vec<&str> =
        items.iter().filter(|i| i.outcome == Outcome::Released).map(|i| i.words.as_str()).collect();
    let is_back = |id: &str| back.iter().any(|ids| ids.contains(id));
    let is_over = |i: &Item| match i.claims.as_slice() {
        [] => is_back(&i.id),
        all => all.iter().all(|id| is_back(id)),
    };
    let counts = |i: &&Item| match i.outcome {
        Outcome::Applied | Outcome::Released => false,
        Outcome::Granted => !is_over(i),
        Outcome::Lost | Outcome::Past | Outcome::Refused => true,
    };
    items.iter().filter(counts).collect()
}

/// What became of a write, as the server's answer says.
pub fn item(s: &Settled, applied: bool) -> Item {
    let text = |name: &str| s.answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = s.request.id.clone().unwrap_or_default();
    let refusal = || match claim_words::refusal(&s.answer) {
        Some(words) => words,
        None => text("detail").to_owned(),
    };
    let (outcome, words) = match (applied, is_claim(&s.request)) {
        (true, true) if text("outcome") == "past" => (
            Outcome::Past,
            format!("{} came after its time; nothing was granted", wished(&s.request)),
        ),
        (true, true) => (Outcome::Granted, granted_words(&s.answer)),
        (true, false) if ends_claims(&s.request) => {
            let many = s.answer.get("ids").and_then(Value::as_array).into_iter().flatten();
            let named = named_ends(&s.request);
            let ids = many.filter_map(Value::as_str).chain(Some(text("id")));
            let ids: Vec<_> = ids.chain(named.iter().map(String::as_str)).collect();
            (Outcome::Released, ids.join(" ").trim().to_owned())
        }
        (true, false) => (Outcome::Applied, String::new()),
        (false, true) if is_lost(s) => (Outcome::Lost, lost_words(s, &refusal())),
        (false, _) => (Outcome::Refused, format!("{}: {}", what(&s.request), refusal())),
    };
    let claims = if outcome == Outcome::Granted { claim_words::ids(&s.answer) } else { Vec::new() };
    Item { id, outcome, words, claims }
}

/// All of a request is lost, also what nobody else holds.
fn lost_words(s: &Settled, why: &str) -> String {
    let wished = wished(&s.request);
    if wished.contains(", ") { format!("{wished}; {why}") } else { why.to_owned() }
}

fn granted_words(answer: &Value) -> String {
    if let Some(words) = claim_words::held(answer) {
        return words;
    }
    let text = |v: &Value, name: &str| v[name].as_str().unwrap_or("?").to_owned();
    let mut words = format!("{} (fence {})", text(answer, "resource"), answer["fence"]);
    for o in answer["overlapped"].as_array().into_iter().flatten() {
        let (who, what) = (text(o, "session_id"), text(o, "resource"));
        let _ = write!(words, "; {who} held {what} meanwhile: look at what it changed");
    }
    words
}

/// Whether a refused write was a claim that somebody else was faster with.
pub fn is_lost(s: &Settled) -> bool {
    let conflicts = s.answer.get("conflicts");
    // A team claim that is no claim at all answers with an empty list.
    is_claim(&s.request) && conflicts.is_some_and(|c| c.as_array().is_none_or(|c| !c.is_empty()))
}

/// Whether a session wants to hear of it: not of its own signs of life and read marks.
pub fn is_worth_telling(s: &Settled, applied: bool) -> bool {
    let path = s.request.path.as_str();
    let bookkeeping =
        path.starts_with("/api/coord/sessions") || path.starts_with("/api/coord/messages/");
    !(applied && bookkeeping)
}

/// Adds news, each to its session's file. Such as cost somebody something are synced.
pub fn add(disk: &dyn Disk, at: Millis, news: &[(String, Item)]) -> io::Result<()> {
    let mut told = HashSet::new();
    for (session, _) in news.iter().filter(|(s, _)| !s.is_empty()) {
        if !told.insert(session) {
            continue;
        }
        let items: Vec<Item> =
            news.iter().filter(|(s, _)| s == session).map(|(_, i)| i.clone()).collect();
        let notable = !notable(&items).is_empty();
        let line = Line { at, session: session.clone(), items };
        let file = disk.open_append(&name(session))?;
        let end = file.end()?;
        let torn = end > 0 && file.read_at(end - 1, 1)? != b"\n";
        let gap = if torn { "\n" } else { "" };
        file.append(format!("{gap}{}\n", serde_json::to_string(&line)?).as_bytes())?;
        if notable {
            file.sync()?;
        }
    }
    Ok(())
}

/// Whether there is any news in an outbox's folder, for whomever.
pub fn is_any(folder: &Path) -> bool {
    let is_news = |e: io::Result<DirEntry>| {
        e.is_ok_and(|e| e.file_name().to_string_lossy().starts_with(NEWS_PREFIX))
    };
    folder.read_dir().is_ok_and(|mut all| all.any(is_news))
}

/// What a session was not told yet.
pub fn of(disk: &dyn Disk, session: &str) -> io::Result<News> {
    let bytes = match disk.read(&name(session), 0) {
        Ok(b) => b,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(News::default()),
        Err(e) => return Err(e),
    };
    let mut news = News { items: Vec::new(), read: bytes.len() as u64 };
    let mut seen = HashSet::new();
    for (_, raw) in complete_lines(&bytes).0 {
        let Ok(line) = serde_json::from_slice::<Line>(trim(raw)) else { continue };
        // Two names may have the same short form.
        if line.session == session {
            news.items.extend(line.items.into_iter().filter(|i| seen.insert(i.id.clone())));
        }
    }
    Ok(news)
}

/// The session was told. What came meanwhile stays, and with it what was told.
pub fn told(disk: &dyn Disk, session: &str, news: &News) -> io::Result<()> {
    if news.read == 0 {
        return Ok(());
    }
    // The drain writes under this lock.
    let Some(_lock) = disk.lock(DRAIN_LOCK, Share::Exclusive, LOCK_WAIT)? else { return Ok(()) };
    if disk.len(&name(session))? == Some(news.read) {
        disk.unlink(&name(session))?;
    }
    Ok(())
}

/// Forgets what nobody came for.
pub fn forget_old(disk: &dyn Disk, now: Millis) -> io::Result<()> {
    for e in disk.list("")?.iter().filter(|e| e.name.starts_with(NEWS_PREFIX)) {
        if now.since(e.modified) > KEPT_FOR {
            disk.unlink(&e.name)?;
        }
    }
    Ok(())
}

fn name(session: &str) -> String {
    format!("{NEWS_PREFIX}{:08x}.jsonl", short_hash(session))
}

#[cfg(test)]
mod tests {
    use coord_protocol::request::{Method, Request};

    use super::super::real_disk::RealDisk;
    use super::*;

    fn one(id: &str, outcome: Outcome) -> Item {
        Item { id: id.into(), outcome, words: format!("words of {id}"), claims: Vec::new() }
    }

    #[test]
    fn each_session_is_told_its_own_once() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(dir.path()).unwrap();
        let at = Millis(1_000);
        let news = [
            ("A/x".to_owned(), one("1", Outcome::Applied)),
            ("B/y".to_owned(), one("2", Outcome::Lost)),
            ("A/x".to_owned(), one("3", Outcome::Refused)),
        ];
        add(&disk, at, &news).unwrap();
        // A drain that was killed repeats what it had noted.
        add(&disk, at, &news[..1]).unwrap();
        let ids = |n: &News| n.items.iter().map(|i| i.id.clone()).collect::<Vec<_>>();
        let a = of(&disk, "A/x").unwrap();
        assert_eq!(ids(&a), ["1", "3"]);
        assert_eq!(a.notable().len(), 1);
        // More comes between the look and the end of telling: nothing of it is lost.
        add(&disk, at, &[("A/x".to_owned(), one("4", Outcome::Past))]).unwrap();
        told(&disk, "A/x", &a).unwrap();
        let again = of(&disk, "A/x").unwrap();
        assert_eq!(ids(&again), ["1", "3", "4"]);
        told(&disk, "A/x", &again).unwrap();
        assert!(of(&disk, "A/x").unwrap().items.is_empty());
        assert_eq!(ids(&of(&disk, "B/y").unwrap()), ["2"]);
        forget_old(&disk, Millis(i64::MAX / 2)).unwrap();
        assert!(of(&disk, "B/y").unwrap().items.is_empty());
    }

    #[test]
    fn claims_that_were_given_back_in_part_are_still_news() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let granted = Item { claims: ids(&["1", "p"]), ..one("1", Outcome::Granted) };
        let back = |words: &str| Item { words: words.into(), ..one("2", Outcome::Released) };
        let told = |words: &str| notable(&[granted.clone(), back(words)]).len();
        assert_eq!((told("1"), told("p"), told("p 1")), (1, 1, 0));
        let lock = [one("1", Outcome::Granted), back("1")];
        assert!(notable(&lock).is_empty());
    }

    #[test]
    fn a_team_claim_is_lost_when_somebody_is_in_its_way() {
        let ask = serde_json::json!({"claims": [{"pattern": "src/a.ts"}], "repo": "p"});
        let settled = |conflicts: Value| Settled {
            request: Request::new(Method::Post, "/claims?rows=true", Some(ask.clone())),
            status: 409,
            answer: serde_json::json!({"claim_ids": [], "conflicts": conflicts,
                "warnings": ["why"], "options": []}),
            replayed: false,
        };
        let claim = serde_json::json!({"id": "c", "engineer": "B/y", "pattern": "src/**",
            "severity": "soft", "description": null, "expires_at": null, "scope_type": "file",
            "symbols": null});
        let met = serde_json::json!([{"your_pattern": "src/a.ts", "conflicting_claim": claim,
            "overlap": [], "your_symbols": null, "symbol_overlap": null}]);
        let lost = item(&settled(met), false);
        assert_eq!(lost.outcome, Outcome::Lost);
        assert_eq!(lost.words, "src/a.ts is held by B/y (src/**) until released; why");
        let bad = item(&settled(serde_json::json!([])), false);
        assert_eq!(bad.outcome, Outcome::Refused);
        assert_eq!(bad.words, "claim on src/a.ts in p: why");
    }
}
