//! Prices of marketable orders; the limits themselves are tested cell by cell in `tests/limits.rs`.

use super::*;

#[test]
fn a_protected_limit_goes_outward_to_the_tick() {
    let tick = Price(500);
    let at = Price::parse(b"100.03").expect("price");
    assert_eq!(
        protected_limit(at, Side::Buy, 200, tick).to_string(),
        "102.05"
    );
    assert_eq!(
        protected_limit(at, Side::Sell, 200, tick).to_string(),
        "98.00"
    );
    assert_eq!(protected_limit(Price(500), Side::Sell, 5_000, tick), tick);
}
