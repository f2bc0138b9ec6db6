//! Order numbers of any broker as one `u64`, and numbers that come as text (protocols/openalgo.md, sections 1 and 6).
//!
//! ```text
//!   "250408000989443"       digits without a leading zero, below 2⁶³    ──►  the number itself
//!   "1500011MOFSL", "007"   up to 12 digits and capitals                ──►  2⁶³ + base 36 without a zero digit
//!   anything else           nineteen letters, small letters, dashes     ──►  None: the outcome stays unknown
//! ```
//!
//! Promises
//! - [`pack`] is pure and loses nothing: what it takes comes back from [`Spelled`] character for character, so that
//!   journals and cancels name the order exactly. Two texts never share a number.
//! - Writing a number allocates nothing.

use crate::model::{Money, OrderId, Price, Qty};
use crate::venue::json::{self, Value};
use std::fmt;

/// Set in numbers that stand for a text with letters or a leading zero.
const PACKED: u64 = 1 << 63;
/// Longest text with letters: 36 + 36² + … + 36¹² is below 2⁶³.
const LETTERS_MAX: usize = 12;

/// The number of an order from the text the broker behind OpenAlgo gave it; `None` when it would not come back.
pub fn pack(text: &str) -> Option<OrderId> {
    let bytes = text.as_bytes();
    if matches!(bytes, [b'1'..=b'9', ..]) && bytes.iter().all(u8::is_ascii_digit) {
        let number = text.parse().ok().filter(|number| *number < PACKED);
        if let Some(number) = number {
            return Some(OrderId(number));
        }
    }
    if bytes.is_empty() || bytes.len() > LETTERS_MAX {
        return None;
    }
    let mut packed = 0_u64;
    for byte in bytes {
        let digit = match byte {
            b'0'..=b'9' => byte.wrapping_sub(b'0'),
            b'A'..=b'Z' => byte.wrapping_sub(b'A').wrapping_add(10),
            _ => return None,
        };
        packed = packed
            .wrapping_mul(36)
            .wrapping_add(u64::from(digit))
            .wrapping_add(1);
    }
    Some(OrderId(packed | PACKED))
}

/// An order number as the broker behind OpenAlgo spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spelled(pub OrderId);

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OrderId(number) = self.0;
        if number < PACKED {
            return write!(f, "{number}");
        }
        let mut letters = [0_u8; LETTERS_MAX];
        let mut from = LETTERS_MAX;
        let mut rest = number & !PACKED;
        while let Some(less) = rest.checked_sub(1)
            && from > 0
        {
            from = from.wrapping_sub(1);
            let digit = u8::try_from(less % 36).unwrap_or(0);
            let letter = if digit < 10 {
                digit.wrapping_add(b'0')
            } else {
                digit.wrapping_sub(10).wrapping_add(b'A')
            };
            if let Some(slot) = letters.get_mut(from) {
                *slot = letter;
            }
            rest = less / 36;
        }
        f.write_str(std::str::from_utf8(letters.get(from..).unwrap_or_default()).unwrap_or(""))
    }
}

/// An order number as text or as a JSON number.
pub(super) fn order_id(value: Value<'_, '_>) -> Option<OrderId> {
    match json::text(value) {
        Some(text) => pack(text),
        None => json::order_id(value).filter(|order| order.0 < PACKED),
    }
}

/// A price as a number or as text; finer decimals than four are rounded.
pub(super) fn price(value: Value<'_, '_>) -> Option<Price> {
    /// What [`json::price`] takes too.
    const RUPEES_MAX: f64 = 1e11;
    let Some(text) = json::text(value) else {
        return json::price(value);
    };
    let text = text.trim();
    Price::parse(text.as_bytes()).ok().or_else(|| {
        let rupees = text.parse().ok().filter(|n: &f64| n.abs() < RUPEES_MAX)?;
        Some(Price::from_rupees_f64(rupees))
    })
}

/// Money as a number or as text.
pub(super) fn money(value: Value<'_, '_>) -> Option<Money> {
    price(value).map(|Price(units)| Money(units))
}

/// A whole number as a number or as text, also when written with decimals that are zero.
pub(super) fn whole(value: Value<'_, '_>) -> Option<i64> {
    use crate::model::price::PER_RUPEE;
    if json::text(value).is_none() {
        return json::integer(value);
    }
    let Price(units) = price(value)?;
    (units.checked_rem(PER_RUPEE)? == 0).then_some(units / PER_RUPEE)
}

/// Units, not negative.
pub(super) fn qty(value: Value<'_, '_>) -> Option<Qty> {
    u32::try_from(whole(value)?).ok().map(Qty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::JsonScratch;
    use proptest::prelude::*;

    fn one<R>(text: &str, read: impl FnOnce(Value<'_, '_>) -> R) -> Option<R> {
        JsonScratch::new().read(&mut text.to_owned().into_bytes(), read)
    }

    #[test]
    fn numbers_of_known_brokers_come_back_and_long_ones_with_letters_do_not() {
        for text in [
            "250408000989443",     // Kite and most others
            "1953341975595868160", // nineteen digits
            "9223372036854775807",
            "007",
            "1500011MOFSL",
            "ZZZZZZZZZZZZ",
            "A",
            "0",
        ] {
            let order = pack(text).expect(text);
            assert_eq!(Spelled(order).to_string(), text);
        }
        for text in [
            "",
            "9223372036854775808", // has the top bit
            "GMK39038RDT490CCVRO",
            "25 408",
            "-1",
            "abc",
            "१२३",
        ] {
            assert_eq!(pack(text), None, "{text}");
        }
        assert_eq!(pack("42"), Some(OrderId(42)));
        assert_ne!(pack("042"), pack("42"));
    }

    #[test]
    fn an_order_number_may_be_a_json_number_and_nothing_else() {
        let digits = Some(Some(OrderId(250_408)));
        assert_eq!(one("250408", order_id), digits);
        assert_eq!(one("\"250408\"", order_id), digits);
        for wrong in ["0", "null", "true", "-4", "1.5", "9223372036854775808"] {
            assert_eq!(one(wrong, order_id), Some(None), "{wrong}");
        }
    }

    #[test]
    fn numbers_may_be_text() {
        for (json, expected) in [
            ("\"101.05\"", Some(1_010_500)),
            ("101.05", Some(1_010_500)),
            ("\" 7 \"", Some(70_000)),
            ("\"801.78125\"", Some(8_017_813)),
            ("\"-3.95\"", Some(-39_500)),
            ("\"\"", None),
            ("\"inf\"", None),
            ("\"NaN\"", None),
            ("\"1e300\"", None),
            ("null", None),
        ] {
            assert_eq!(one(json, price), Some(expected.map(Price)), "{json}");
        }
        for (json, expected) in [
            ("\"75\"", Some(75)),
            ("75", Some(75)),
            ("\"75.0\"", Some(75)),
            ("75.5", None),
            ("\"75.5\"", None),
            ("\"-75\"", None),
            ("\"4294967296\"", None),
        ] {
            assert_eq!(one(json, qty), Some(expected.map(Qty)), "{json}");
        }
        assert_eq!(one("\"-75\"", whole), Some(Some(-75)));
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back_character_for_character(text in "[0-9]{0,22}|[0-9A-Z]{0,14}|.{0,14}") {
            if let Some(order) = pack(&text) {
                prop_assert_eq!(Spelled(order).to_string(), text);
                prop_assert_ne!(order, OrderId(0));
            }
        }

        #[test]
        fn two_texts_never_share_a_number(a in "[0-9A-Z]{1,12}", b in "[0-9A-Z]{1,12}") {
            prop_assert_eq!(pack(&a) == pack(&b), a == b);
        }

        #[test]
        fn any_number_can_be_written(number: u64) {
            prop_assert!(Spelled(OrderId(number)).to_string().len() <= 19);
        }
    }
}
