//! What the server said to claims, and whom it told.

use serde_json::Value;

use crate::leases::{Claim, touch};
use crate::server::{Answered, Notice, parsed};
use crate::world::World;

/// A claim may be judged by the server so long after its time: it is looked at before it is sent.
const SLACK_MS: i64 = 180_000;
/// Where locks are claimed.
pub(crate) const LOCKS: &str = "/api/coord/locks";

impl World {
    /// The server has answered for the first time: a claim has its verdict.
    pub(crate) fn look_at_verdict(
        &mut self,
        answered: &Answered,
        notices: &[Notice],
    ) -> Result<(), String> {
        let call = &answered.call;
        if call.method != "POST" || call.path() != LOCKS {
            return Ok(());
        }
        let Some(n) = call.key.as_deref().and_then(|key| self.leases.find(key)) else {
            return Ok(());
        };
        let claim = self.leases.all()[n].clone();
        self.leases.judged(&claim.key);
        let answer: Value = serde_json::from_str(&answered.body).unwrap_or_default();
        if answered.status == 409 {
            if call.late {
                self.mark("settled: conflict");
                return all_told(&claim, &answer["conflicts"], notices);
            }
        } else if answer["outcome"] == "past" {
            self.mark("settled: past");
        } else if answer["fence"].is_i64() {
            if answer["renewed"] == true {
                self.mark("renewed");
            }
            self.look_at_grant(&claim, call.late, &answer, notices)?;
        }
        Ok(())
    }

    /// Nothing is granted after its time, and who held it meanwhile was told.
    fn look_at_grant(
        &mut self,
        claim: &Claim,
        late: bool,
        answer: &Value,
        notices: &[Notice],
    ) -> Result<(), String> {
        if late {
            self.mark("settled: granted");
        }
        let overlapped = answer["overlapped"].as_array().cloned().unwrap_or_default();
        for held in &overlapped {
            self.mark("held meanwhile");
            let to = held["session_id"].as_str().unwrap_or_default();
            if !notices.iter().any(|n| n.to == to && n.body.contains(&claim.session)) {
                return Err(format!("{to} was not told of {claim:?}"));
            }
        }
        // By clocks that leap nobody can say how long it waited.
        if self.clocks_leapt {
            return Ok(());
        }
        let age = i64::try_from((self.now() - claim.invoked) / 1000).unwrap_or(i64::MAX);
        if age > claim.ttl_ms + SLACK_MS {
            return Err(format!("granted {age} ms after it was made: {claim:?}"));
        }
        if !late || answer["renewed"] == true {
            return Ok(());
        }
        let since = self.server.now().0 - age + SLACK_MS;
        let ended = self.server.texts(&format!(
            "SELECT json_array(id, session_id, resource) FROM claim WHERE fence < {}
             AND ended_at >= {since} AND COALESCE(expires_at, {since}) >= {since}",
            answer["fence"]
        ));
        for (id, session, resource) in ended.iter().map(|e| parsed::<(String, String, String)>(e)) {
            let meets = session != claim.session && touch(&resource, claim.resource);
            if meets && !overlapped.iter().any(|o| o["id"] == *id) {
                return Err(format!("{session} held {resource} meanwhile, untold: {claim:?}"));
            }
        }
        Ok(())
    }
}

/// Each holder in the way of a late claim has a message that names what both mean.
fn all_told(claim: &Claim, conflicts: &Value, notices: &[Notice]) -> Result<(), String> {
    for conflict in conflicts.as_array().into_iter().flatten() {
        let to = conflict["lock"]["session_id"].as_str().unwrap_or_default();
        let overlap = format!("{:?}", conflict["overlap"].as_str().unwrap_or_default());
        let told =
            |n: &Notice| n.to == to && n.body.contains(&claim.session) && n.body.contains(&overlap);
        if !notices.iter().any(told) {
            return Err(format!("{to} was not told that {overlap} is claimed, too: {claim:?}"));
        }
    }
    Ok(())
}
