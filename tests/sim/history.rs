//! Claims and releases as their sessions saw them, for the checker of histories.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::leases::touch;
use crate::server::{Answered, Server};
use coord_tests::linear::{self, Did, Op};

/// Something that was asked of the server about locks.
#[derive(Debug)]
struct Attempt {
    key: String,
    session: String,
    resource: String,
    asked: u64,
    answered: Option<u64>,
}

/// All that was asked.
#[derive(Debug, Default)]
pub(crate) struct History {
    attempts: Vec<Attempt>,
    /// When the server's clock leapt ahead: its leases may have ended then.
    pub(crate) leaps: Vec<u64>,
}

/// What was asked about locks, one group of resources that touch each other.
type Group = Vec<Op>;

impl History {
    /// A session asks.
    pub(crate) fn ask(&mut self, key: &str, session: &str, resource: &str, now: u64) {
        self.attempts.push(Attempt {
            key: key.to_owned(),
            session: session.to_owned(),
            resource: resource.to_owned(),
            asked: now,
            answered: None,
        });
    }

    /// The server's answer is there; what comes later only repeats it.
    pub(crate) fn answer(&mut self, key: &str, now: u64) {
        if let Some(a) = self.attempts.iter_mut().find(|a| a.key == key) {
            a.answered.get_or_insert(now);
        }
    }

    /// Checks all of it; how many operations that were. What nobody was told is asked again now: the
    /// server remembers.
    pub(crate) fn judge(&self, server: &Server, now: u64) -> Result<usize, String> {
        let done = |a: &Attempt| {
            let said = server.answer(&a.key)?;
            let did = self.did(a, said)?;
            Some(Op {
                session: a.session.clone(),
                resource: a.resource.clone(),
                asked: a.asked,
                answered: a.answered.unwrap_or(now),
                did,
            })
        };
        let ops: Vec<Op> = self.attempts.iter().filter_map(done).collect();
        let count = ops.len();
        for (name, group) in groups(ops) {
            linear::check(&group, touch).map_err(|why| format!("locks under {name:?}: {why}"))?;
        }
        Ok(count)
    }

    /// The least time after asking in which a lease can end by itself, in microseconds.
    fn ttl(&self, a: &Attempt, answer: &Value) -> u64 {
        let hours = answer["ttl_hours"].as_f64().unwrap_or(0.0);
        let whole = Duration::from_secs_f64(hours * 3600.0);
        // A millisecond less: the server's clock has no finer parts.
        let ttl = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX).saturating_sub(1_000);
        let leaps = self.leaps.iter().filter(|l| **l >= a.asked).map(|l| l - a.asked);
        leaps.chain([ttl]).min().unwrap_or(ttl)
    }

    fn did(&self, a: &Attempt, said: &Answered) -> Option<Did> {
        let answer: Value = serde_json::from_str(&said.body).ok()?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let is_claim = said.call.method == "POST";
        Some(match said.status {
            201 => Did::Granted(text("id"), answer["fence"].as_i64()?, self.ttl(a, &answer)),
            200 if is_claim && answer["renewed"] == true => {
                Did::Renewed(text("id"), self.ttl(a, &answer))
            }
            409 => {
                let all = answer["conflicts"].as_array()?;
                let id = |c: &Value| Some(c["lock"]["id"].as_str()?.to_owned());
                Did::Refused(all.iter().filter_map(id).collect())
            }
            200 if !is_claim && answer["ids"].is_array() => {
                let ids = answer["ids"].as_array()?;
                Did::ReleasedAll(ids.iter().filter_map(|i| Some(i.as_str()?.to_owned())).collect())
            }
            200 if !is_claim && answer["released"] == true => Did::Released(text("id")),
            200 if !is_claim => Did::WasOver(text("id")),
            403 => Did::NotYours(answer["lock"]["id"].as_str()?.to_owned()),
            // Past its time, or about a lock that never was: nothing happened.
            _ => return None,
        })
    }
}

/// Divides operations into groups that have nothing to do with each other.
fn groups(ops: Vec<Op>) -> BTreeMap<String, Group> {
    let folder = |resource: &str| resource.split('/').next().unwrap_or_default().to_owned();
    let mut of: BTreeMap<String, String> = BTreeMap::new();
    for op in &ops {
        if let Did::Granted(id, ..) = &op.did {
            of.insert(id.clone(), folder(&op.resource));
        }
    }
    let names: BTreeSet<String> = of.values().cloned().collect();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for op in ops {
        let home = match &op.did {
            Did::Granted(..) | Did::Renewed(..) | Did::Refused(_) => folder(&op.resource),
            Did::Released(id) | Did::WasOver(id) | Did::NotYours(id) => {
                // A claim that was past from the start was never live.
                let Some(home) = of.get(id) else { continue };
                home.clone()
            }
            Did::ReleasedAll(ids) => {
                for name in &names {
                    let here = ids.iter().filter(|id| of.get(*id) == Some(name));
                    let did = Did::ReleasedAll(here.cloned().collect());
                    groups.entry(name.clone()).or_default().push(Op { did, ..op.clone() });
                }
                continue;
            }
        };
        groups.entry(home).or_default().push(op);
    }
    groups
}
