//! JSON of brokers: one scratch per connection, exact numbers, bounded nesting.
//!
//! simd-json keeps its working memory in `Buffers` and its result in a tape; both are reused here, so
//! a reply costs no allocation once the scratch has seen one of its size (low-latency, section 6).
//! Nesting is limited to 32 (reliability, D4).
//!
//! Numbers: integers are exact. A decimal arrives as the double nearest to its text. For a text of at
//! most four decimals below 2⁵¹/10⁴ rupees, times 10⁴ and rounded gives back the text's own integer: the
//! double is off by at most one part in 2⁵³, the product by another, together less than one half. What
//! has more decimals (average prices) is rounded to the nearest 1/10 000 rupee.

use crate::model::price::PER_RUPEE;
use crate::model::{Bar, Money, NetQty, OrderId, Price, Qty, Side, Tag, Token};
use simd_json::prelude::{ValueAsScalar as _, ValueIntoString as _};
use simd_json::{Buffers, Tape};

pub use simd_json::tape::Value;

/// Deepest nesting accepted.
pub const DEPTH_MAX: usize = 32;

/// Largest magnitude in rupees whose four decimals survive the double: 2⁵¹ / 10⁴.
const EXACT_RUPEES_MAX: f64 = 225_179_981_368.524_8;

/// Working memory of the JSON parser, one per connection.
pub struct JsonScratch {
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for JsonScratch {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for JsonScratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonScratch")
            .field("nodes", &self.tape.0.capacity())
            .finish_non_exhaustive()
    }
}

impl JsonScratch {
    /// Allocates and warms the scratch for replies and order updates of up to 4 KiB.
    pub fn new() -> Self {
        let buffers = Buffers::with_max_depth(16 * 1024, DEPTH_MAX);
        let mut scratch = Self {
            buffers,
            tape: Tape(Vec::with_capacity(1024)),
        };
        let mut warm = format!("[{}{{\"a\":[[]]}}]", "\"warm\",0.5,".repeat(340)).into_bytes();
        scratch.read(&mut warm, |_| ());
        scratch
    }

    /// Parses one document and hands its root to `read`; `None` when it is not JSON or too deep.
    ///
    /// `bytes` is scratch space afterwards; texts handed out by `read` may borrow from it.
    pub fn read<'a, R>(
        &mut self,
        bytes: &'a mut [u8],
        read: impl FnOnce(Value<'_, 'a>) -> R,
    ) -> Option<R> {
        let mut tape: Tape<'a> = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape(bytes, &mut self.buffers, &mut tape).is_ok();
        let result = parsed.then(|| read(tape.as_value()));
        self.tape = tape.reset();
        result
    }
}

/// The text of a string value.
pub fn text<'a>(value: Value<'_, 'a>) -> Option<&'a str> {
    value.into_string()
}

/// A number as a price: exact to 1/10 000 rupee, finer decimals rounded to the nearest.
pub fn price(value: Value<'_, '_>) -> Option<Price> {
    units(value).map(Price)
}

/// A number as money: exact to 1/10 000 rupee, finer decimals rounded to the nearest.
pub fn money(value: Value<'_, '_>) -> Option<Money> {
    units(value).map(Money)
}

fn units(value: Value<'_, '_>) -> Option<i64> {
    if let Some(rupees) = value.as_i64() {
        return rupees.checked_mul(PER_RUPEE);
    }
    let rupees = value.as_f64()?;
    (rupees.abs() < EXACT_RUPEES_MAX).then(|| Price::from_rupees_f64(rupees).0)
}

/// A whole number; a decimal with nothing behind the point counts as one.
pub fn integer(value: Value<'_, '_>) -> Option<i64> {
    if let Some(whole) = value.as_i64() {
        return Some(whole);
    }
    let units = units(value)?;
    (units % PER_RUPEE == 0).then_some(units / PER_RUPEE)
}

/// A whole number of units, not negative.
pub fn qty(value: Value<'_, '_>) -> Option<Qty> {
    u32::try_from(integer(value)?).ok().map(Qty)
}

/// A signed number of units.
pub fn net_qty(value: Value<'_, '_>) -> Option<NetQty> {
    integer(value).map(NetQty)
}

/// An instrument token.
pub fn token(value: Value<'_, '_>) -> Option<Token> {
    u32::try_from(integer(value)?).ok().map(Token)
}

/// An order number, as text or as a whole number.
pub fn order_id(value: Value<'_, '_>) -> Option<OrderId> {
    match text(value) {
        Some(digits) => order_id_text(digits.as_bytes()),
        None => value.as_u64().filter(|n| *n > 0).map(OrderId),
    }
}

/// An order number from its digits; `None` when the digits would not come back the same (a leading zero,
/// more than 19 digits, anything but digits), because a cancel must name the order exactly.
pub fn order_id_text(digits: &[u8]) -> Option<OrderId> {
    let (order, rest) = leading_order_id(digits)?;
    rest.is_empty().then_some(order)
}

/// The order number at the start of a text, and what follows it; `None` as in [`order_id_text`].
///
/// Nineteen digits always fit 64 bits and are the most Kite sends. Eight at a time, because one by one
/// each waits for the multiplication before it (bench `decode`, `reply, byte match`).
#[inline]
pub fn leading_order_id(text: &[u8]) -> Option<(OrderId, &[u8])> {
    if !matches!(text, [b'1'..=b'9', ..]) {
        return None;
    }
    let mut number = 0_u64;
    let mut rest = text;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let Some(eight) = eight_digits(*chunk) else {
            break;
        };
        number = number.wrapping_mul(100_000_000).wrapping_add(eight);
        rest = after;
    }
    while let [byte @ b'0'..=b'9', after @ ..] = rest {
        number = number
            .wrapping_mul(10)
            .wrapping_add(u64::from(byte.wrapping_sub(b'0')));
        rest = after;
    }
    let width = text.len().wrapping_sub(rest.len());
    (width <= 19).then_some((OrderId(number), rest))
}

/// The number eight digits spell, or `None` when one of them is not a digit: pairs, fours, then eight.
#[inline]
const fn eight_digits(text: [u8; 8]) -> Option<u64> {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let bytes = u64::from_le_bytes(text);
    // A digit has 3 as its high half, and still has after adding 6.
    if bytes & HIGH != ZEROS || bytes.wrapping_add(0x0606_0606_0606_0606) & HIGH != ZEROS {
        return None;
    }
    let ones = bytes.wrapping_sub(ZEROS);
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF)
}

/// The field of a row.
///
/// # Errors
///
/// Its name, when it is not there or not what `read` reads.
pub fn need<'t, 'a: 't, R>(
    row: Value<'t, 'a>,
    name: &str,
    read: impl Fn(Value<'t, 'a>) -> Option<R>,
) -> Result<R, String> {
    row.get(name).and_then(read).ok_or_else(|| name.to_owned())
}

/// The text of a field.
///
/// # Errors
///
/// As [`need`].
pub fn word(row: Value<'_, '_>, name: &str) -> Result<String, String> {
    need(row, name, text).map(str::to_owned)
}

/// Reads every item of a list of `what`.
///
/// # Errors
///
/// The first that fails, by its number and what it misses.
pub fn rows<'t, 'a: 't, R>(
    list: Value<'t, 'a>,
    what: &str,
    read: impl Fn(Value<'t, 'a>) -> Result<R, String>,
) -> Result<Vec<R>, String> {
    let items = list
        .as_array()
        .ok_or_else(|| format!("{what} list is not a list"))?;
    let numbered = items.iter().enumerate();
    numbered
        .map(|(at, row)| read(row).map_err(|field| format!("{what} row {at}: {field}")))
        .collect()
}

/// Reads every candle of a list.
///
/// # Errors
///
/// The number of the first that is none, or `missing` where there is no list.
pub fn candles<'t, 'a: 't>(
    list: Option<Value<'t, 'a>>,
    missing: &str,
    read: impl Fn(Value<'t, 'a>) -> Option<Bar>,
) -> Result<Vec<Bar>, String> {
    let list = list.and_then(|list| list.as_array()).ok_or(missing)?;
    let numbered = list.iter().enumerate();
    numbered
        .map(|(at, candle)| read(candle).ok_or_else(|| format!("candle {at}")))
        .collect()
}

/// `BUY` or `SELL`.
pub fn side(value: Value<'_, '_>) -> Option<Side> {
    match text(value)? {
        "BUY" => Some(Side::Buy),
        "SELL" => Some(Side::Sell),
        _ => None,
    }
}

/// A text that is a tag of ours.
pub fn tag(value: Value<'_, '_>) -> Option<Tag> {
    Tag::parse(text(value)?.as_bytes())
}

/// True for JSON's `null`.
pub fn is_null(value: Value<'_, '_>) -> bool {
    value.as_null().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one<R>(text: &str, read: impl FnOnce(Value<'_, '_>) -> R) -> Option<R> {
        JsonScratch::new().read(&mut text.to_owned().into_bytes(), read)
    }

    #[test]
    fn prices_are_exact_as_integer_or_decimal() {
        for (json, expected) in [
            ("72", Some(720_000)),
            ("159.82", Some(1_598_200)),
            ("0.0025", Some(25)),
            ("801.78125", Some(8_017_813)),
            ("-0", Some(0)),
            ("-3.95", Some(-39_500)),
            ("1e3", Some(10_000_000)),
            ("225179981368.5247", Some(2_251_799_813_685_247)),
            ("1e300", None),
            ("\"5\"", None),
            ("null", None),
            ("true", None),
        ] {
            assert_eq!(one(json, price), Some(expected.map(Price)), "{json}");
        }
    }

    #[test]
    fn quantities_are_whole_and_in_range() {
        assert_eq!(one("150", qty), Some(Some(Qty(150))));
        assert_eq!(one("150.0", qty), Some(Some(Qty(150))));
        assert_eq!(one("150.5", qty), Some(None));
        assert_eq!(one("-1", qty), Some(None));
        assert_eq!(one("4294967295", qty), Some(Some(Qty(u32::MAX))));
        assert_eq!(one("4294967296", qty), Some(None));
    }

    #[test]
    fn order_numbers_come_back_digit_for_digit_or_not_at_all() {
        assert_eq!(
            order_id_text(b"1953341975595868160"),
            Some(OrderId(1_953_341_975_595_868_160))
        );
        let most = OrderId(9_999_999_999_999_999_999);
        assert_eq!(order_id_text(b"9999999999999999999"), Some(most));
        let long = b"10000000000000000000";
        for bad in [&b""[..], b"0", b"0123", b"12a", long, b" 1", b"1234567:"] {
            assert_eq!(order_id_text(bad), None, "{bad:?}");
        }
        assert_eq!(
            one("151220000000000", order_id),
            Some(Some(OrderId(151_220_000_000_000)))
        );
    }

    #[test]
    fn nesting_stops_at_thirty_two() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(one(&nested(DEPTH_MAX - 1), |_| ()).is_some());
        assert!(one(&nested(DEPTH_MAX + 1), |_| ()).is_none());
        assert!(one(&nested(100_000), |_| ()).is_none());
    }

    #[test]
    fn the_scratch_survives_bad_documents() {
        let mut scratch = JsonScratch::new();
        for bad in [
            "",
            "{",
            "{\"a\":}",
            "nul",
            "\"\\u12\"",
            "[1,]",
            "1e999",
            "\u{0}",
        ] {
            assert!(
                scratch
                    .read(&mut bad.to_owned().into_bytes(), |_| ())
                    .is_none(),
                "{bad}"
            );
        }
        assert_eq!(scratch.read(&mut b"7".to_vec(), integer), Some(Some(7)));
    }

    proptest! {
        #[test]
        fn order_numbers_are_read_as_the_standard_library_reads_them(
            text in "[1-9][0-9]{0,18}[!-~]{0,9}",
        ) {
            let width = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
            let expected = (width <= 19).then(|| text[..width].parse().expect("19 digits"));
            let read = leading_order_id(text.as_bytes());
            prop_assert_eq!(read.map(|(order, _)| order.0), expected);
            if let Some((_, rest)) = read {
                prop_assert_eq!(rest, &text.as_bytes()[width..]);
            }
        }

        #[test]
        fn every_price_of_four_decimals_survives_the_double(units in -(1_i64 << 51)..(1 << 51)) {
            let text = Price(units).to_string();
            prop_assert_eq!(one(&text, price), Some(Some(Price(units))));
        }

        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            JsonScratch::new().read(&mut bytes.clone(), |_| ());
        }
    }
}
