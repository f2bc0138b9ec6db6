//! One order request, encoded ahead: firing it writes a tag and two numbers.
//!
//! ```text
//!   POST … HTTP/1.1\r\n … Content-Length: 147\r\n\r\n exchange=NFO& … &tag=TZ…&quantity=75&price=101.05
//!                                         ▲▲▲                         ▲▲▲▲          ▲▲       ▲▲▲▲▲▲
//! ```
//!
//! Promises
//! - The patched bytes equal those of a plain `format!` for every tag, quantity and price (golden test).
//! - Nothing but the marked places moves: fields of variable width stand last, and the length of the body
//!   always has three digits because a body outside 100..=999 bytes is refused at construction.
//! - [`Template::fill`] neither allocates nor branches on anything but the width of its numbers; 17 ns
//!   where `format!` costs 156 (low-latency, section 7; bench `decode`, `template fill`).

use super::request::is_header_text;
use crate::model::{Price, Qty, Tag};

/// Widest quantity: ten digits of 32 bits.
const QUANTITY_WIDTH: usize = 10;
/// Widest price: sign, fifteen digits, point, four decimals.
const PRICE_WIDTH: usize = 21;
/// Fixed-width stores may write this far behind the last byte that counts.
const SLACK: usize = 8;

/// The texts a template is made of, in wire order.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Request line and headers, each ended by CR LF.
    pub head: &'a str,
    /// Body up to the tag, ending with the name of its field: `…&tag=`.
    pub body: &'a str,
    /// Between tag and quantity: `&quantity=`.
    pub quantity_field: &'a str,
    /// Between quantity and price, at most eight bytes: `&price=`.
    pub price_field: &'a str,
}

/// Why a request cannot be encoded ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// The body could leave the range in which its length has three digits.
    #[error(
        "an order body of {shortest} to {longest} bytes; 100 to 999 are possible (is the symbol right?)"
    )]
    BodyLength {
        /// Bytes with the shortest quantity and price.
        shortest: usize,
        /// Bytes with the longest quantity and price.
        longest: usize,
    },
    /// Host, key or token holds a byte that must not stand in a request head.
    #[error("host, API key or access token holds a space, a control character or a non-ASCII byte")]
    Header,
    /// The name of the price field is longer than the eight bytes reserved for it.
    #[error("the name of the price field is longer than eight bytes")]
    Field,
    /// The instrument is watched, never traded.
    #[error("an index cannot be ordered")]
    NotTradable,
}

/// A whole HTTP request with room for tag, quantity and price.
#[derive(Clone)]
pub struct Template {
    bytes: Box<[u8]>,
    length_at: usize,
    body_at: usize,
    tag_at: usize,
    quantity_at: usize,
    price_field: [u8; 8],
    price_field_len: usize,
}

impl Template {
    /// Encodes everything that does not change.
    ///
    /// # Errors
    ///
    /// [`TemplateFault`] when the parts cannot make a request with a three-digit length.
    pub fn new(parts: Parts<'_>) -> Result<Self, TemplateFault> {
        if !parts.head.split("\r\n").all(is_header_text) || !parts.head.ends_with("\r\n") {
            return Err(TemplateFault::Header);
        }
        let mut price_field = [0_u8; 8];
        let price_field_len = parts.price_field.len();
        price_field
            .get_mut(..price_field_len)
            .ok_or(TemplateFault::Field)?
            .copy_from_slice(parts.price_field.as_bytes());

        let fixed = parts.body.len() + Tag::default().0.len() + parts.quantity_field.len();
        let shortest = fixed + price_field_len + "1".len() + "0.00".len();
        let longest = fixed + price_field_len + QUANTITY_WIDTH + PRICE_WIDTH;
        if shortest < 100 || longest > 999 {
            return Err(TemplateFault::BodyLength { shortest, longest });
        }

        let mut bytes = Vec::with_capacity(parts.head.len() + longest + 64);
        bytes.extend_from_slice(parts.head.as_bytes());
        bytes.extend_from_slice(b"Content-Length: ");
        let length_at = bytes.len();
        bytes.extend_from_slice(b"000\r\n\r\n");
        let body_at = bytes.len();
        bytes.extend_from_slice(parts.body.as_bytes());
        let tag_at = bytes.len();
        bytes.extend_from_slice(&Tag::default().0);
        bytes.extend_from_slice(parts.quantity_field.as_bytes());
        let quantity_at = bytes.len();
        bytes.resize(body_at + longest + SLACK, 0);
        Ok(Self {
            bytes: bytes.into(),
            length_at,
            body_at,
            tag_at,
            quantity_at,
            price_field,
            price_field_len,
        })
    }

    /// Writes the three changing values and returns the bytes to send, valid until the next call.
    #[inline]
    pub fn fill(&mut self, tag: &Tag, qty: Qty, limit: Price) -> &[u8] {
        let bytes = &mut *self.bytes;
        put(bytes, self.tag_at, tag.0);
        let mut at = self.quantity_at;
        at = put_number(bytes, at, u64::from(qty.0));
        put(bytes, at, self.price_field);
        at = put_price(bytes, at.wrapping_add(self.price_field_len), limit);
        let body = at.wrapping_sub(self.body_at);
        let [.., hundreds, tens, ones] = eight_digits(u64::try_from(body).unwrap_or(0));
        put(bytes, self.length_at, [hundreds, tens, ones]);
        self.bytes.get(..at).unwrap_or_default()
    }
}

impl std::fmt::Debug for Template {
    /// Shows sizes only: the head carries the access token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template")
            .field("head_bytes", &self.body_at)
            .field("bytes_max", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Stores `N` bytes at `at`; nothing outside the buffer is ever touched.
#[inline]
fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(slot) = bytes
        .get_mut(at..)
        .and_then(|rest| rest.first_chunk_mut::<N>())
    {
        *slot = value;
    }
}

/// Writes a number without leading zeros and returns the position behind it.
#[inline]
fn put_number(bytes: &mut [u8], at: usize, value: u64) -> usize {
    const LIMIT: u64 = 100_000_000;
    if value < LIMIT {
        let digits = u64::from_le_bytes(eight_digits(value));
        // Leading zeros of the number are the lowest bytes; the last digit always stays.
        let zeros = ((digits ^ ASCII_ZEROS) | 1 << 63).trailing_zeros() & !7;
        put(bytes, at, (digits >> zeros).to_le_bytes());
        let width = 8_u32.wrapping_sub(zeros >> 3);
        return at.wrapping_add(usize::try_from(width).unwrap_or(0));
    }
    let at = put_number(bytes, at, value / LIMIT);
    put(bytes, at, eight_digits(value % LIMIT));
    at.wrapping_add(8)
}

/// Writes a price with two to four decimals, as [`Price`] displays it, and returns the position behind it.
#[inline]
fn put_price(bytes: &mut [u8], mut at: usize, price: Price) -> usize {
    if price.0 < 0 {
        put(bytes, at, [b'-']);
        at = at.wrapping_add(1);
    }
    let units = price.0.unsigned_abs();
    let part = units % 10_000;
    at = put_number(bytes, at, units / 10_000);
    let [.., a, b, c, d] = eight_digits(part);
    put(bytes, at, [b'.', a, b, c, d]);
    let decimals = if part.is_multiple_of(100) {
        2
    } else if part.is_multiple_of(10) {
        3
    } else {
        4
    };
    at.wrapping_add(1 + decimals)
}

const ASCII_ZEROS: u64 = 0x3030_3030_3030_3030;

/// The eight decimal digits of a number below 10⁸ as text, most significant first.
///
/// Splits 8 digits into 4+4, 2+2+2+2 and single digits inside one register: the divisions by 100 and 10
/// are multiplications by 10486/2²⁰ and 103/2¹⁰, exact for the four- and two-digit numbers they see.
#[inline]
fn eight_digits(value: u64) -> [u8; 8] {
    let fours = (value / 10_000) | (value % 10_000) << 32;
    let hundreds = (fours.wrapping_mul(10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = fours.wrapping_sub(hundreds.wrapping_mul(100)) << 16 | hundreds;
    let tens = (twos.wrapping_mul(103) >> 10) & 0x000F_000F_000F_000F;
    let ones = twos.wrapping_sub(tens.wrapping_mul(10)) << 8 | tens;
    (ones | ASCII_ZEROS).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BODY: &str = "exchange=NFO&tradingsymbol=BANKNIFTY26NOV52000CE&transaction_type=BUY&tag=";

    fn parts() -> Parts<'static> {
        Parts {
            head: "POST /orders HTTP/1.1\r\nHost: example\r\n",
            body: BODY,
            quantity_field: "&quantity=",
            price_field: "&price=",
        }
    }

    fn slow(tag: &Tag, qty: Qty, limit: Price) -> String {
        let body = format!("{BODY}{tag}&quantity={qty}&price={limit}");
        format!(
            "{}Content-Length: {}\r\n\r\n{body}",
            parts().head,
            body.len()
        )
    }

    fn assert_same(template: &mut Template, qty: Qty, limit: Price) {
        let tag = Tag(*b"TZ0025A1B2C3D4E5F6G7");
        let expected = slow(&tag, qty, limit);
        let filled = template.fill(&tag, qty, limit);
        assert_eq!(std::str::from_utf8(filled).expect("ascii"), expected);
    }

    #[test]
    fn every_width_of_quantity_and_price_equals_the_slow_builder() {
        let mut template = Template::new(parts()).expect("valid parts");
        let quantities = (0..10).flat_map(|e| {
            let ten = 10_u32.pow(e);
            [ten.wrapping_sub(1), ten, ten.saturating_mul(9), u32::MAX]
        });
        for quantity in quantities {
            for exponent in 0..19 {
                let ten = 10_i64.pow(exponent);
                for limit in [
                    ten - 1,
                    ten,
                    ten + 1,
                    ten + 50,
                    ten / 7,
                    -ten,
                    i64::MAX,
                    i64::MIN,
                ] {
                    assert_same(&mut template, Qty(quantity), Price(limit));
                }
            }
        }
    }

    #[test]
    fn a_narrow_fill_after_a_wide_one_leaves_nothing_behind() {
        let mut template = Template::new(parts()).expect("valid parts");
        assert_same(&mut template, Qty(u32::MAX), Price(i64::MIN));
        assert_same(&mut template, Qty(1), Price(500));
        assert_same(&mut template, Qty(75), Price::from_paise(5_200_005));
    }

    #[test]
    fn every_four_digit_part_is_split_exactly() {
        for value in (0..10_000).flat_map(|low| [low, low * 10_000, low * 10_000 + 9_999 - low]) {
            assert_eq!(
                eight_digits(value).to_vec(),
                format!("{value:08}").into_bytes()
            );
        }
    }

    #[test]
    fn a_body_that_could_leave_three_digits_is_refused() {
        let build = |symbol: usize| {
            Template::new(Parts {
                body: &"x".repeat(symbol),
                ..parts()
            })
            .map(|_| ())
        };
        let around = 20 + "&quantity=".len() + "&price=".len();
        let least = 100 - around - 5;
        let most = 999 - around - QUANTITY_WIDTH - PRICE_WIDTH;
        assert!(build(least).is_ok() && build(most).is_ok());
        assert!(matches!(
            build(least - 1),
            Err(TemplateFault::BodyLength { shortest: 99, .. })
        ));
        assert!(matches!(
            build(most + 1),
            Err(TemplateFault::BodyLength { longest: 1_000, .. })
        ));
    }

    #[test]
    fn a_head_with_a_smuggled_line_is_refused() {
        let head = "POST / HTTP/1.1\r\nAuthorization: a\nEvil: b\r\n";
        assert!(matches!(
            Template::new(Parts { head, ..parts() }),
            Err(TemplateFault::Header)
        ));
    }

    #[test]
    fn debug_shows_no_secret() {
        let head = "POST / HTTP/1.1\r\nAuthorization: token k:s3cr3t\r\n";
        let template = Template::new(Parts { head, ..parts() }).expect("valid parts");
        assert!(!format!("{template:?}").contains("s3cr3t"));
    }

    proptest! {
        #[test]
        fn patched_bytes_equal_the_slow_builder(qty: u32, limit: i64) {
            let mut template = Template::new(parts()).expect("valid parts");
            assert_same(&mut template, Qty(qty), Price(limit));
            assert_same(&mut template, Qty(qty % 10_000), Price(limit % 1_000_000_000));
        }
    }
}
