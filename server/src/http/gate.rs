//! Who may ask at all: the bearer token, compared in constant time over digests (G43), and the
//! checks that keep a web page from speaking for its reader (G47).

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api::{Call, Reply};

/// The door.
pub struct Gate {
    token: Option<[u8; 32]>,
    hosts: Vec<String>,
}

impl Gate {
    /// With a token, or without any check of who asks. `hosts` are names that a `Host` header may
    /// hold besides IP addresses and `localhost`.
    pub fn new(token: Option<&str>, hosts: Vec<String>) -> Self {
        Self { token: token.map(digest), hosts }
    }

    /// Whether a token is asked for.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Lets a call in, or says why not.
    pub fn admit(&self, call: &Call) -> Result<(), Reply> {
        if let Some(host) = &call.host
            && !self.host_is_ours(host)
        {
            // A name that we were not given: DNS rebinding looks like this.
            let why = format!("host {host:?} is not served here; see COORD_ALLOWED_HOSTS");
            return Err(Reply::error(421, why));
        }
        if let (Some(origin), Some(host)) = (&call.origin, &call.host)
            && origin.split_once("://").map(|(_, o)| o) != Some(host)
        {
            return Err(Reply::error(403, "requests from other web sites are refused"));
        }
        let Some(wanted) = &self.token else { return Ok(()) };
        let sent = call.authorization.as_deref().and_then(|a| a.strip_prefix("Bearer "));
        match sent {
            None => Err(Reply::error(401, "Missing bearer token")),
            Some(t) if bool::from(digest(t.trim())[..].ct_eq(&wanted[..])) => Ok(()),
            Some(_) => Err(Reply::error(401, "Invalid bearer token")),
        }
    }

    fn host_is_ours(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
            Some((v6, _)) => v6,
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        name.parse::<std::net::IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|h| h.eq_ignore_ascii_case(name))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(auth: Option<&str>, host: Option<&str>, origin: Option<&str>) -> Call {
        Call {
            authorization: auth.map(str::to_owned),
            host: host.map(str::to_owned),
            origin: origin.map(str::to_owned),
            ..Call::default()
        }
    }

    fn status(gate: &Gate, c: &Call) -> u16 {
        gate.admit(c).map_or_else(|r| r.status, |()| 200)
    }

    #[test]
    fn tokens() {
        let gate = Gate::new(Some("s3cret"), Vec::new());
        assert_eq!(status(&gate, &call(Some("Bearer s3cret"), None, None)), 200);
        for bad in [None, Some("s3cret"), Some("bearer s3cret"), Some("Bearer s3cre\u{e9}")] {
            assert_eq!(status(&gate, &call(bad, None, None)), 401, "{bad:?}");
        }
        assert_eq!(status(&Gate::new(None, Vec::new()), &call(None, None, None)), 200);
    }

    #[test]
    fn hosts_and_origins() {
        let gate = Gate::new(None, vec!["coord.lan".into()]);
        for ok in ["127.0.0.1:8080", "[::1]:8080", "localhost", "COORD.lan:1", "192.168.0.9"] {
            assert_eq!(status(&gate, &call(None, Some(ok), None)), 200, "{ok}");
        }
        assert_eq!(status(&gate, &call(None, Some("evil.example:8080"), None)), 421);
        let from = |o| status(&gate, &call(None, Some("127.0.0.1:8080"), Some(o)));
        assert_eq!(from("http://127.0.0.1:8080"), 200);
        assert_eq!(from("http://evil.example"), 403);
        assert_eq!(from("null"), 403);
    }
}
