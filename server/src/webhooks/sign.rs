//! Signatures of deliveries.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `X-Coord-Signature`, as in seed 002: lower-case hex HMAC-SHA256 of the body.
pub fn of_body(secret: &[u8], body: &[u8]) -> String {
    hex(secret, &[body])
}

/// `X-Coord-Signature-V2`: the same of `<timestamp>.<delivery id>.<body>`, so that an old delivery
/// cannot be sent again as a new one.
pub fn of_delivery(secret: &[u8], timestamp: &str, id: &str, body: &[u8]) -> String {
    hex(secret, &[timestamp.as_bytes(), b".", id.as_bytes(), b".", body])
}

fn hex(secret: &[u8], parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_rfc_4231() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, data, wanted) in cases {
            assert_eq!(of_body(key, data), wanted);
        }
    }

    #[test]
    fn the_second_one_covers_time_and_id() {
        let whole = of_body(b"k", b"1795187835.id-1.{}");
        assert_eq!(of_delivery(b"k", "1795187835", "id-1", b"{}"), whole);
        assert_ne!(of_delivery(b"k", "1795187836", "id-1", b"{}"), whole);
        assert_ne!(of_delivery(b"k", "1795187835", "id-2", b"{}"), whole);
    }
}
