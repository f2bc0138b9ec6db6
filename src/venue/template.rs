//! One order request, encoded ahead: firing it writes a tag and two numbers.
//!
//! ```text
//!   POST … HTTP/1.1\r\n … Content-Length: 147\r\n\r\n exchange=NFO& … &tag=TZ…&quantity=75&price=101.05
//!                                         ▲▲▲                         ▲▲▲▲          ▲▲       ▲▲▲▲▲▲
//! ```
//!
//! A body is a list of pieces: text, and the places that are patched. A form, a JSON object and JSON inside a form
//! are the same to it, because a broker reads its fields in any order and the patched ones can stand last.
//!
//! Promises
//! - The patched bytes equal those of a plain `format!` for every tag, quantity and price (golden test).
//! - Nothing but the marked places moves: fields of variable width stand last, and the length of the body
//!   always has three digits because a body outside 100..=999 bytes is refused at construction.
//! - [`Template::fill`] neither allocates nor branches on anything but the width of its numbers and whether text stands
//!   behind the price; 17 ns where `format!` costs 156 (low-latency, section 7; bench `decode`, `template fill`).

use super::request::is_header_text;
use crate::model::{Price, Qty, Tag};

/// Widest quantity: ten digits of 32 bits.
const QUANTITY_WIDTH: usize = 10;
/// Widest price: sign, fifteen digits, point, four decimals.
const PRICE_WIDTH: usize = 21;
/// Longest text between quantity and price: `","price":"` with every mark as `%XX`.
const MIDDLE_WIDTH: usize = 24;
/// Longest text behind the price: `"}` with every mark as `%XX`.
const TAIL_WIDTH: usize = 8;
/// Fixed-width stores may write this far behind the last byte that counts.
const SLACK: usize = MIDDLE_WIDTH;
/// Where a tag goes that a broker has no field for: outside every buffer.
const NOWHERE: usize = usize::MAX;

/// One piece of a body, in wire order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes that never change.
    Text(&'a str),
    /// Our tag; once at most, in front of the numbers.
    Tag,
    /// The quantity in units, without sign or leading zeros.
    Quantity,
    /// The limit price with two to four decimals, somewhere behind the quantity.
    Price,
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
    /// The pieces are not a tag at most, a quantity, and then a price.
    #[error("an order body has at most one tag, then one quantity, then one price")]
    Pieces,
    /// A text near the price is longer than the room reserved for it.
    #[error(
        "the text in front of the price is longer than 24 bytes, or that behind it longer than 8"
    )]
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
    middle: [u8; MIDDLE_WIDTH],
    middle_len: usize,
    tail: [u8; TAIL_WIDTH],
    tail_len: usize,
}

/// The pieces of a body, sorted.
#[derive(Default)]
struct Sorted {
    before: String,
    tag_at: Option<usize>,
    middle: String,
    tail: String,
    numbers: u8,
}

impl Sorted {
    fn new(pieces: &[Piece<'_>]) -> Result<Self, TemplateFault> {
        let mut sorted = Self::default();
        for piece in pieces {
            match (piece, sorted.numbers) {
                (Piece::Text(text), 0) => sorted.before.push_str(text),
                (Piece::Text(text), 1) => sorted.middle.push_str(text),
                (Piece::Text(text), _) => sorted.tail.push_str(text),
                (Piece::Tag, 0) if sorted.tag_at.is_none() => {
                    sorted.tag_at = Some(sorted.before.len());
                    sorted.before.push_str(&"0".repeat(Tag::default().0.len()));
                }
                (Piece::Quantity, 0) => sorted.numbers = 1,
                (Piece::Price, 1) => sorted.numbers = 2,
                (Piece::Tag | Piece::Quantity | Piece::Price, _) => {
                    return Err(TemplateFault::Pieces);
                }
            }
        }
        (sorted.numbers == 2)
            .then_some(sorted)
            .ok_or(TemplateFault::Pieces)
    }
}

/// A text at the start of `N` bytes.
fn padded<const N: usize>(text: &str) -> Result<[u8; N], TemplateFault> {
    let mut bytes = [0; N];
    bytes
        .get_mut(..text.len())
        .ok_or(TemplateFault::Field)?
        .copy_from_slice(text.as_bytes());
    Ok(bytes)
}

impl Template {
    /// Encodes everything that does not change: `head` is request line and headers, each ended by CR LF and without
    /// `Content-Length`.
    ///
    /// # Errors
    ///
    /// [`TemplateFault`] when the parts cannot make a request with a three-digit length.
    pub fn new(head: &str, body: &[Piece<'_>]) -> Result<Self, TemplateFault> {
        if !head.split("\r\n").all(is_header_text) || !head.ends_with("\r\n") {
            return Err(TemplateFault::Header);
        }
        let sorted = Sorted::new(body)?;
        let (middle, tail) = (padded(&sorted.middle)?, padded(&sorted.tail)?);

        let fixed = sorted.before.len() + sorted.middle.len() + sorted.tail.len();
        let shortest = fixed + "1".len() + "0.00".len();
        let longest = fixed + QUANTITY_WIDTH + PRICE_WIDTH;
        if shortest < 100 || longest > 999 {
            return Err(TemplateFault::BodyLength { shortest, longest });
        }

        let mut bytes = Vec::with_capacity(head.len() + longest + 64);
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(b"Content-Length: ");
        let length_at = bytes.len();
        bytes.extend_from_slice(b"000\r\n\r\n");
        let body_at = bytes.len();
        bytes.extend_from_slice(sorted.before.as_bytes());
        let quantity_at = bytes.len();
        bytes.resize(body_at + longest + SLACK, 0);
        Ok(Self {
            bytes: bytes.into(),
            length_at,
            body_at,
            tag_at: sorted.tag_at.map_or(NOWHERE, |at| body_at + at),
            quantity_at,
            middle,
            middle_len: sorted.middle.len(),
            tail,
            tail_len: sorted.tail.len(),
        })
    }

    /// Writes the three changing values and returns the bytes to send, valid until the next call.
    #[inline(never)]
    pub fn fill(&mut self, tag: &Tag, qty: Qty, limit: Price) -> &[u8] {
        let bytes = &mut *self.bytes;
        put(bytes, self.tag_at, tag.0);
        let mut at = self.quantity_at;
        at = put_number(bytes, at, u64::from(qty.0));
        put(bytes, at, self.middle);
        at = put_price(bytes, at.wrapping_add(self.middle_len), limit);
        if self.tail_len > 0 {
            put(bytes, at, self.tail);
            at = at.wrapping_add(self.tail_len);
        }
        let body = at.wrapping_sub(self.body_at);
        put(bytes, self.length_at, three_digits(body));
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

/// The three decimal digits of a number below 1 000 as text. The divisions are multiplications by 41/2¹² and 103/2¹⁰,
/// exact for numbers this small; the length of a body is the last thing a request waits for.
#[inline]
fn three_digits(value: usize) -> [u8; 3] {
    let value = u32::try_from(value).unwrap_or(0);
    let hundreds = value.wrapping_mul(41) >> 12;
    let rest = value.wrapping_sub(hundreds.wrapping_mul(100));
    let tens = rest.wrapping_mul(103) >> 10;
    let ones = rest.wrapping_sub(tens.wrapping_mul(10));
    let [hundreds, tens, ones, _] = (hundreds | tens << 8 | ones << 16 | 0x0030_3030).to_le_bytes();
    [hundreds, tens, ones]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "POST /orders HTTP/1.1\r\nHost: example\r\n";
    const CONTRACT: &str =
        "exchange=NFO&tradingsymbol=BANKNIFTY26NOV52000CE&transaction_type=BUY&tag=";

    use Piece::{Price as Limit, Quantity, Text};

    /// The bodies of four brokers: a form, JSON, JSON inside a form, JSON without a tag.
    fn bodies() -> [Vec<Piece<'static>>; 4] {
        [
            form(CONTRACT),
            vec![
                Text(r#"{"dhanClientId":"1100003626","securityId":"35070","orderType":"LIMIT","#),
                Text(r#""transactionType":"BUY","exchangeSegment":"NSE_FNO","correlationId":""#),
                Piece::Tag,
                Text(r#"","quantity":"#),
                Quantity,
                Text(r#","price":"#),
                Limit,
                Text("}"),
            ],
            vec![
                Text("jData=%7B%22es%22%3A%22nse_fo%22%2C%22ts%22%3A%22NIFTY26NOV24000CE%22%2C"),
                Text("%22pt%22%3A%22L%22%2C%22ig%22%3A%22"),
                Piece::Tag,
                Text("%22%2C%22qt%22%3A%22"),
                Quantity,
                Text("%22%2C%22pr%22%3A%22"),
                Limit,
                Text("%22%7D"),
            ],
            vec![
                Text(r#"{"apikey":"0123456789abcdef0123456789abcdef","strategy":"tezi","#),
                Text(r#""exchange":"NFO","symbol":"NIFTY24NOV2624000CE","quantity":""#),
                Quantity,
                Text(r#"","price":""#),
                Limit,
                Text(r#""}"#),
            ],
        ]
    }

    fn form(contract: &str) -> Vec<Piece<'_>> {
        vec![
            Text(contract),
            Piece::Tag,
            Text("&quantity="),
            Quantity,
            Text("&price="),
            Limit,
        ]
    }

    fn slow(body: &[Piece<'_>], tag: &Tag, qty: Qty, limit: Price) -> String {
        let piece = |piece: &Piece<'_>| match piece {
            Text(text) => (*text).to_owned(),
            Piece::Tag => tag.to_string(),
            Quantity => qty.to_string(),
            Limit => limit.to_string(),
        };
        let body: String = body.iter().map(piece).collect();
        format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    fn assert_same(template: &mut Template, body: &[Piece<'_>], qty: Qty, limit: Price) {
        let tag = Tag(*b"TZ0025A1B2C3D4E5F6G7");
        let expected = slow(body, &tag, qty, limit);
        let filled = template.fill(&tag, qty, limit);
        assert_eq!(std::str::from_utf8(filled).expect("ascii"), expected);
    }

    #[test]
    fn every_width_of_quantity_and_price_equals_the_slow_builder() {
        for body in bodies() {
            let mut template = Template::new(HEAD, &body).expect("valid parts");
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
                        assert_same(&mut template, &body, Qty(quantity), Price(limit));
                    }
                }
            }
        }
    }

    #[test]
    fn a_narrow_fill_after_a_wide_one_leaves_nothing_behind() {
        for body in bodies() {
            let mut template = Template::new(HEAD, &body).expect("valid parts");
            assert_same(&mut template, &body, Qty(u32::MAX), Price(i64::MIN));
            assert_same(&mut template, &body, Qty(1), Price(500));
            assert_same(&mut template, &body, Qty(75), Price::from_paise(5_200_005));
        }
    }

    #[test]
    fn a_body_in_another_order_or_with_too_long_a_field_is_refused() {
        let text = "x".repeat(200);
        let fault = |rest: &[Piece<'_>]| {
            let mut body = vec![Text(&text)];
            body.extend_from_slice(rest);
            Template::new(HEAD, &body).map(|_| ()).err()
        };
        assert_eq!(fault(&[Quantity, Limit]), None);
        for wrong in [
            &[][..],
            &[Quantity],
            &[Limit, Quantity],
            &[Quantity, Quantity, Limit],
            &[Quantity, Limit, Limit],
            &[Quantity, Piece::Tag, Limit],
            &[Quantity, Limit, Piece::Tag],
            &[Piece::Tag, Piece::Tag, Quantity, Limit],
        ] {
            assert_eq!(fault(wrong), Some(TemplateFault::Pieces), "{wrong:?}");
        }
        let longest = [
            Quantity,
            Text(&text[..MIDDLE_WIDTH]),
            Limit,
            Text(&text[..TAIL_WIDTH]),
        ];
        assert_eq!(fault(&longest), None);
        let middle = [Quantity, Text(&text[..=MIDDLE_WIDTH]), Limit];
        let tail = [Quantity, Limit, Text(&text[..=TAIL_WIDTH])];
        assert_eq!(fault(&middle), Some(TemplateFault::Field));
        assert_eq!(fault(&tail), Some(TemplateFault::Field));
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
    fn every_length_is_split_exactly() {
        for value in 0..1_000 {
            assert_eq!(
                three_digits(value).to_vec(),
                format!("{value:03}").into_bytes()
            );
        }
    }

    #[test]
    fn a_body_that_could_leave_three_digits_is_refused() {
        let build = |symbol: usize| Template::new(HEAD, &form(&"x".repeat(symbol))).map(|_| ());
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
            Template::new(head, &form(CONTRACT)),
            Err(TemplateFault::Header)
        ));
    }

    #[test]
    fn debug_shows_no_secret() {
        let head = "POST / HTTP/1.1\r\nAuthorization: token k:s3cr3t\r\n";
        let template = Template::new(head, &form(CONTRACT)).expect("valid parts");
        assert!(!format!("{template:?}").contains("s3cr3t"));
    }

    proptest! {
        #[test]
        fn patched_bytes_equal_the_slow_builder(qty: u32, limit: i64) {
            for body in bodies() {
                let mut template = Template::new(HEAD, &body).expect("valid parts");
                assert_same(&mut template, &body, Qty(qty), Price(limit));
                assert_same(&mut template, &body, Qty(qty % 10_000), Price(limit % 1_000_000_000));
            }
        }
    }
}
