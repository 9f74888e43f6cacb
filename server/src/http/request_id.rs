//! `X-Request-ID`: the caller's, or one of ours, on every answer (`peer_api`, section 3).

use coord_protocol::edge::Rng;

/// The header.
pub(super) const HEADER_REQUEST: &str = "x-request-id";
/// Longest id of a caller that is repeated.
const ID_MAX: usize = 128;

/// The id that an answer carries: the caller's, if it can stand in a header, else 16 hex digits.
pub(super) fn request_id(asked: Option<String>, rng: &dyn Rng) -> String {
    let fits =
        |id: &String| (1..=ID_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    asked.filter(fits).unwrap_or_else(|| format!("{:016x}", rng.u64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::OsRng;

    #[test]
    fn ids() {
        let id = |asked: &str| request_id(Some(asked.to_owned()), &OsRng);
        assert_eq!(id("abc-1"), "abc-1");
        for bad in ["", "a b", &"x".repeat(129), "\u{e9}"] {
            let made = id(bad);
            assert!(made.len() == 16 && made.bytes().all(|b| b.is_ascii_hexdigit()), "{made}");
        }
    }
}
