//! What must have happened: every intent of the workload has an origin, a tag in its text that the
//! code knows nothing of. Effects are counted by origin.

use coord_agent::outbox::dead::Letter;
use coord_agent::outbox::files::{ASIDE, DEAD, QUEUE};
use coord_agent::outbox::line::{self, Line};
use coord_protocol::request::Request;
use serde_json::Value;

use crate::files::Files;

/// What an intent is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The server will do it.
    Good,
    /// The server will refuse it, or it is no entry at all.
    Bad,
    /// The server fails on it.
    Poison,
    /// The server does it or refuses it: a lock is wanted, or one is given back.
    Either,
    /// All locks are given back.
    Release,
}

/// What whoever had the intent was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing: killed, or an error.
    Nothing,
    /// The server has done it.
    Done,
    /// It is kept and will be sent.
    Queued,
    /// The server refused it.
    Refused,
    /// A foreign hand wrote its line completely.
    Written,
}

/// The session of intents that come past the product.
pub(crate) const FOREIGN: usize = usize::MAX;

/// An intent.
#[derive(Debug)]
struct Origin {
    machine: usize,
    session: usize,
    kind: Kind,
    told: Told,
    /// Path and body, as they stand in lines and letters.
    wish: String,
    /// The line of a foreign hand, without what stands around it.
    core: Option<String>,
    /// The line was lost with the power before anybody synced it.
    excused: bool,
    effects: u32,
    /// When it was told, and when it took effect, as places in two orders.
    told_at: usize,
    place: Option<usize>,
}

/// All intents.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    origins: Vec<Origin>,
    told: usize,
    messages: usize,
}

/// The tag of an origin.
pub(crate) fn tag(origin: usize) -> String {
    format!("<{origin}>")
}

fn origin_of(text: &str) -> Option<usize> {
    let (_, rest) = text.split_once('<')?;
    rest.split_once('>')?.0.parse().ok()
}

impl Origin {
    /// Whether it ended as it should; `dead`: it is among the dead letters.
    fn settle(&self, dead: bool) -> Result<(), &'static str> {
        let promised =
            matches!(self.told, Told::Done | Told::Queued | Told::Written) && !self.excused;
        match self.kind {
            Kind::Good if promised && self.effects == 0 => {
                Err("acknowledged, and never took effect")
            }
            Kind::Good | Kind::Release if self.told == Told::Refused => Err("refused, and not bad"),
            Kind::Bad | Kind::Poison if self.told == Told::Done => Err("done, although it is bad"),
            Kind::Bad | Kind::Poison if promised && self.effects > 0 => Err("bad, and took effect"),
            Kind::Bad | Kind::Poison if promised && !dead => Err("bad, and no dead letter"),
            Kind::Good | Kind::Bad | Kind::Poison | Kind::Either | Kind::Release => Ok(()),
        }
    }
}

impl Ledger {
    /// A new intent; its number.
    pub(crate) fn intend(&mut self, machine: usize, session: usize, kind: Kind) -> usize {
        self.origins.push(Origin {
            machine,
            session,
            kind,
            told: Told::Nothing,
            wish: String::new(),
            core: None,
            excused: false,
            effects: 0,
            told_at: 0,
            place: None,
        });
        self.origins.len() - 1
    }

    /// How many intents there are.
    pub(crate) fn len(&self) -> usize {
        self.origins.len()
    }

    /// What the request of an intent holds.
    pub(crate) fn ask(&mut self, origin: usize, request: &Request) {
        let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
        self.origins[origin].wish = format!("\"path\":\"{}\",\"body\":{body}", request.path);
    }

    /// What somebody was told about an intent.
    pub(crate) fn tell(&mut self, origin: usize, told: Told) {
        self.told += 1;
        self.origins[origin].told = told;
        self.origins[origin].told_at = self.told;
    }

    /// A foreign hand wrote this line for an intent.
    pub(crate) fn written(&mut self, origin: usize, line: &str) {
        let core = line.trim().trim_start_matches(['\u{feff}', ' ', '{']).to_owned();
        self.origins[origin].core = Some(core);
        self.tell(origin, Told::Written);
    }

    /// A message was accepted. An error: it is one too many.
    pub(crate) fn message(&mut self, text: &str) -> Result<(), String> {
        self.messages += 1;
        let place = self.messages;
        self.effect(text, Some(place))
    }

    /// Something else took effect.
    pub(crate) fn effect(&mut self, text: &str, place: Option<usize>) -> Result<(), String> {
        let origin = origin_of(text).ok_or_else(|| format!("nobody wrote {text:?}"))?;
        let o = self.origins.get_mut(origin).ok_or("an origin that never was")?;
        o.effects += 1;
        o.place = place;
        if o.effects > 1 {
            return Err(format!("origin {origin} took effect {} times", o.effects));
        }
        Ok(())
    }

    /// The power is about to go: lines of foreign hands that nobody synced may go with it.
    pub(crate) fn before_power_cut(&mut self, machine: usize, files: &Files) {
        for o in self.origins.iter_mut().filter(|o| o.machine == machine && o.effects == 0) {
            let Some(core) = &o.core else { continue };
            let aside = format!("{ASIDE}/");
            let queued = |name: &str| name == QUEUE || name.starts_with(&aside);
            let sure = ["\n", "\r\n"]
                .iter()
                .any(|end| files.is_durable(format!("{core}{end}").as_bytes(), queued))
                || files.is_durable(core.as_bytes(), |name| name == DEAD);
            o.excused |= !sure;
        }
    }

    /// The promises that can be judged when everything is at rest.
    pub(crate) fn settle(&self, letters: &[Letter]) -> Result<(), String> {
        let dead: Vec<usize> = letters.iter().filter_map(|l| origin_of(l.text.as_ref()?)).collect();
        for (number, o) in self.origins.iter().enumerate() {
            o.settle(dead.contains(&number))
                .map_err(|why| format!("origin {number}: {why}: {o:?}"))?;
        }
        for letter in letters {
            self.check_letter(letter)?;
        }
        self.check_order()
    }

    fn check_letter(&self, letter: &Letter) -> Result<(), String> {
        let Some(text) = &letter.text else { return Ok(()) };
        if !matches!(line::parse(text.as_bytes()), Line::Entry(_)) {
            return Ok(());
        }
        let Some(origin) = origin_of(text).and_then(|n| self.origins.get(n)) else {
            return Err(format!("a dead letter that nobody wrote: {letter:?}"));
        };
        // Torn lines of two writers can make an entry that neither of them wrote.
        let torn = origin.told == Told::Nothing && !text.contains(&origin.wish);
        match origin.kind {
            Kind::Bad | Kind::Poison | Kind::Either => Ok(()),
            Kind::Good | Kind::Release if torn => Ok(()),
            Kind::Good | Kind::Release => {
                Err(format!("a dead letter that was not bad: {letter:?}"))
            }
        }
    }

    /// Acknowledged messages of one session take effect in the order of their acknowledgement.
    fn check_order(&self) -> Result<(), String> {
        let mut all: Vec<(usize, &Origin)> = self.origins.iter().enumerate().collect();
        all.retain(|(_, o)| matches!(o.told, Told::Done | Told::Queued) && o.place.is_some());
        all.sort_by_key(|(_, o)| (o.session, o.told_at));
        for pair in all.windows(2) {
            let [(a, first), (b, second)] = pair else { continue };
            if first.session == second.session && first.place > second.place {
                return Err(format!("origin {b} overtook origin {a} of the same session"));
            }
        }
        Ok(())
    }
}
