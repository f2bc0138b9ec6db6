//! One-time codes that change with time (RFC 6238, as authenticator apps make them): SHA-1, six digits, 30 seconds.
//!
//! Promise: neither the secret nor a code prints.

use crate::model::{Secret, WallNanos};
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// Seconds one code is good for.
pub const STEP_S: i64 = 30;

/// The code of a secret at a moment; `None` when the secret is not base32, which is how brokers show it.
///
/// Small letters, blanks, hyphens and padding are taken as people copy them.
pub fn code(secret: &Secret, at: WallNanos) -> Option<Secret> {
    let plain = secret.expose().chars();
    let plain: String = plain
        .filter(|c| !matches!(c, ' ' | '-' | '='))
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let plain = Secret::new(plain);
    let key = BASE32_NOPAD.decode(plain.expose().as_bytes()).ok()?;
    if key.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).ok()?;
    mac.update(&at.secs().div_euclid(STEP_S).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let place = usize::from(hash.last()? & 15);
    let word = hash.get(place..)?.first_chunk::<4>()?;
    let number = u32::from_be_bytes(*word) & 0x7FFF_FFFF;
    Some(Secret::new(format!("{:06}", number % 1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, the SHA-1 rows, of which six digits are the last six.
        let secret = Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned());
        for (at, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let found = code(&secret, WallNanos::from_secs(at));
            assert_eq!(found.as_ref().map(Secret::expose), Some(expected), "{at}");
        }
    }

    #[test]
    fn a_secret_is_taken_as_people_copy_it_and_refused_when_it_is_none() {
        let at = WallNanos::from_secs(1_234_567_890);
        let code = |text: &str| {
            let found = code(&Secret::new(text.to_owned()), at);
            found.map(|code| code.expose().to_owned())
        };
        let expected = code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(expected.as_deref(), Some("005924"));
        assert_eq!(
            code("gezd gnbv gy3t qojq gezd-gnbv-gy3t-qojq===="),
            expected
        );
        for wrong in ["", "====", "GEZDGNB0", "1", "secret!"] {
            assert_eq!(code(wrong), None, "{wrong}");
        }
    }
}
