//! Ids: `UUIDv7` from a given time and given bytes, `UUIDv5` for adopted queue lines, and the form
//! of idempotency keys.

pub use uuid::Uuid;

use crate::time::Millis;

/// Name space of ids that are derived for queue lines which foreign tools wrote without one.
const ADOPTED_LINES: Uuid = Uuid::from_u128(0x6f0b_2c1e_52c5_5d0e_9a3e_1d1f_7a44_10b7);

/// Longest idempotency key that is accepted.
pub const KEY_BYTES_MAX: usize = 128;

/// A `UUIDv7` of the given moment and random bytes. Times before 1970 count as 1970.
pub fn uuid_v7(now: Millis, random: [u8; 10]) -> Uuid {
    let ms = u64::try_from(now.0).unwrap_or(0);
    let mut b = [0u8; 16];
    b[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    b[6..].copy_from_slice(&random);
    b[6] = 0x70 | (b[6] & 0x0f);
    b[8] = 0x80 | (b[8] & 0x3f);
    Uuid::from_bytes(b)
}

/// The id of a queue line that came without one: a function of where the line lies, so that a
/// second look after a crash gives the same id (reliability 5.4, step 3).
pub fn adopted_id(generation: &str, offset: u64) -> Uuid {
    Uuid::new_v5(&ADOPTED_LINES, format!("{generation}:{offset}").as_bytes())
}

/// Name space of the ids of things that one request makes beside its first.
const PARTS: Uuid = Uuid::from_u128(0x1d6a_9e34_7c0b_5b52_8f1e_33a0_c4d2_6e19);

/// The id of the `at`th thing that a request makes: a function of the request's id, so that it is the
/// same where the request is done provisionally and where it is done in the end.
pub fn part_id(request: &Uuid, at: usize) -> Uuid {
    Uuid::new_v5(&PARTS, format!("{request}:{at}").as_bytes())
}

/// Reads the value of an `Idempotency-Key` header: a quoted string as the IETF draft has it, or the
/// bare text. `None` when it is empty, too long, or holds anything but printable ASCII.
pub fn parse_key(header: &str) -> Option<&str> {
    let h = header.trim();
    let key = h.strip_prefix('"').and_then(|k| k.strip_suffix('"')).unwrap_or(h);
    let ok = !key.is_empty()
        && key.len() <= KEY_BYTES_MAX
        && key.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    ok.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_ids_of_their_own() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(part_id(&a, 1), part_id(&a, 1));
        assert!(part_id(&a, 1) != part_id(&a, 2) && part_id(&a, 1) != part_id(&b, 1));
    }

    #[test]
    fn v7_sorts_by_time_and_says_its_version() {
        let a = uuid_v7(Millis(1_000), [0xff; 10]);
        let b = uuid_v7(Millis(1_001), [0; 10]);
        assert!(a < b);
        assert_eq!(a.get_version_num(), 7);
        assert_eq!(b.to_string(), "00000000-03e9-7000-8000-000000000000");
    }

    #[test]
    fn adopted_ids_depend_on_place_only() {
        assert_eq!(adopted_id("g", 7), adopted_id("g", 7));
        assert_ne!(adopted_id("g", 7), adopted_id("g", 8));
        assert_ne!(adopted_id("g", 17), adopted_id("g1", 7));
    }

    #[test]
    fn keys_quoted_or_bare() {
        assert_eq!(parse_key("\"abc\""), Some("abc"));
        assert_eq!(parse_key(" abc "), Some("abc"));
        for bad in ["", "\"\"", "a b", "a\u{e9}", "a\"b", &"x".repeat(129)] {
            assert_eq!(parse_key(bad), None, "{bad:?}");
        }
    }
}
