//! What an answer means for the entry it answers (G10 to G12). Pure.

use super::Incoming;

/// What becomes of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It took effect.
    Applied,
    /// The server will never take it.
    Rejected,
    /// Nothing is said about the entry: it stays.
    Keep,
}

/// The answer is from a coord server.
pub fn is_ours(answer: &Incoming) -> bool {
    answer.instance.as_deref().is_some_and(|i| !i.is_empty())
}

/// Judges an answer to the entry `id`. Only an answer that carries the server's name and the
/// entry's id says anything; a gateway's 413, a portal's 200, another service's 404 do not.
pub fn judge(answer: &Incoming, id: Option<&str>) -> Verdict {
    if !is_ours(answer) || answer.entry.as_deref() != id {
        return Verdict::Keep;
    }
    of_status(answer.status)
}

/// What a status says about the entry that it surely is about.
pub fn of_status(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Applied,
        // 403 with proof is a rule of the service (not yours), not the door: the door knows no ids.
        400 | 403..=405 | 409 | 410 | 413..=415 | 422 | 431 | 501 => Verdict::Rejected,
        _ => Verdict::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, proof: bool) -> Incoming {
        let name = |text: &str| proof.then(|| text.to_owned());
        Incoming { status, instance: name("i"), entry: name("e"), ..Incoming::default() }
    }

    #[test]
    fn every_status_with_and_without_proof() {
        let rejected = [400, 403, 404, 405, 409, 410, 413, 414, 415, 422, 431, 501];
        for status in 100..600 {
            let want = match status {
                200..=299 => Verdict::Applied,
                s if rejected.contains(&s) => Verdict::Rejected,
                _ => Verdict::Keep,
            };
            assert_eq!(judge(&answer(status, true), Some("e")), want, "{status}");
            assert_eq!(judge(&answer(status, true), Some("other")), Verdict::Keep, "{status}");
            assert_eq!(judge(&answer(status, false), Some("e")), Verdict::Keep, "{status}");
        }
    }
}
