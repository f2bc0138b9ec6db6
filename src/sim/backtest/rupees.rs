//! Rupees as Indians write them: 12,34,567 with lakh and crore.

use crate::model::price::PER_RUPEE;
use crate::model::{Money, Price};

const LAKH: f64 = 1e5;
const CRORE: f64 = 1e7;

/// Groups digits the Indian way: the last three, then pairs.
pub fn grouped(digits: u64) -> String {
    let plain = digits.to_string();
    let mut text = String::with_capacity(plain.len() + plain.len() / 2);
    for (at, digit) in plain.chars().enumerate() {
        let left = plain.len() - at;
        if at > 0 && (left == 3 || (left > 3 && left % 2 == 1)) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount in whole rupees, rounded to the nearest: `₹12,34,567`, `−₹950`.
pub fn whole(money: Money) -> String {
    let units = money.0.unsigned_abs();
    let rupees =
        units / PER_RUPEE.unsigned_abs() + u64::from(units % PER_RUPEE.unsigned_abs() >= 5_000);
    let sign = if money.0 < 0 && rupees > 0 { "−" } else { "" };
    format!("{sign}₹{}", grouped(rupees))
}

/// As [`whole`], with a plus sign before a gain.
pub fn signed(money: Money) -> String {
    let text = whole(money);
    let gains = money.0 > 0 && text != "₹0";
    if gains { format!("+{text}") } else { text }
}

/// A price with two decimals, rounded to the nearest paisa: `48,203.45`.
pub fn price(price: Price) -> String {
    let paise = (price.0.unsigned_abs() + 50) / 100;
    let sign = if price.0 < 0 && paise > 0 { "−" } else { "" };
    format!("{sign}{}.{:02}", grouped(paise / 100), paise % 100)
}

/// A short amount for an axis: `₹50,000`, `₹2.5 L`, `−₹1.25 Cr`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, not negative, below a lakh"
)]
pub fn axis(rupees: f64) -> String {
    let size = rupees.abs();
    let sign = if rupees < 0.0 && size >= 0.5 {
        "−"
    } else {
        ""
    };
    if size >= CRORE {
        format!("{sign}₹{} Cr", short(size / CRORE))
    } else if size >= LAKH {
        format!("{sign}₹{} L", short(size / LAKH))
    } else {
        format!("{sign}₹{}", grouped(size.round() as u64))
    }
}

/// At most two decimals, none that are zero.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_in_thousands_lakhs_and_crores() {
        for (digits, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (99_999, "99,999"),
            (100_000, "1,00,000"),
            (1_234_567, "12,34,567"),
            (12_345_678, "1,23,45,678"),
        ] {
            assert_eq!(grouped(digits), text);
        }
    }

    #[test]
    fn amounts_are_rounded_and_signed() {
        assert_eq!(whole(Money(12_345_674_999)), "₹12,34,567");
        assert_eq!(whole(Money(-9_505_000)), "−₹951");
        assert_eq!(whole(Money(-4_999)), "₹0");
        assert_eq!(
            (signed(Money(4_999)), signed(Money(5_000))),
            ("₹0".to_owned(), "+₹1".to_owned())
        );
        assert_eq!(signed(Money(-10_000)), "−₹1");
        assert_eq!(price(Price(482_034_549)), "48,203.45");
        assert_eq!(price(Price(-10_050)), "−1.01");
    }

    #[test]
    fn axis_labels_are_short() {
        let labels = [
            0.0,
            -0.2,
            50_000.0,
            -99_999.0,
            250_000.0,
            -12_500_000.0,
            100_000.0,
        ]
        .map(axis);
        assert_eq!(
            labels,
            [
                "₹0",
                "₹0",
                "₹50,000",
                "−₹99,999",
                "₹2.5 L",
                "−₹1.25 Cr",
                "₹1 L"
            ]
        );
    }
}
