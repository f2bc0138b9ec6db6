//! Thresholds as prices: a condition that compares the close with what stands still while a bar
//! forms, or a reading that only rises with the close, becomes one integer comparison a tick.
//!
//! The level is guessed from the inverted formula, snapped to the tick grid and then **settled with
//! the exact predicate**, tolerance included, on the neighbouring ticks. So on every price of the
//! grid the comparison decides what the predicate decides; between two grid prices it does not ask.
//! Use a tick of `Price(1)` where prices off the grid occur (an index).

use super::input::UNITS_MAX;
use super::state::{Constants, State};
use crate::model::Price;

/// A condition as a price: true exactly when `close >= at` (`above`), else when `close <= at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceLevel {
    /// The smallest (`above`) or largest price for which the condition holds.
    pub at: Price,
    /// Which side of it.
    pub above: bool,
}

impl PriceLevel {
    /// A condition that holds at no price.
    pub const fn never(above: bool) -> Self {
        Self {
            at: if above {
                Price(i64::MAX)
            } else {
                Price(i64::MIN)
            },
            above,
        }
    }

    /// A condition that holds at every price.
    pub const fn always(above: bool) -> Self {
        Self {
            at: if above {
                Price(i64::MIN)
            } else {
                Price(i64::MAX)
            },
            above,
        }
    }

    /// True when the condition holds at this close.
    #[inline]
    pub fn holds(self, close: Price) -> bool {
        if self.above {
            close >= self.at
        } else {
            close <= self.at
        }
    }
}

/// Finds the level of a predicate that turns once, near `guess` (units; anything when nothing is
/// known).
pub(crate) fn settle(
    guess: f64,
    tick: Price,
    above: bool,
    holds: impl Fn(i64) -> bool,
) -> PriceLevel {
    let tick = tick.0.clamp(1, UNITS_MAX);
    let end = UNITS_MAX.wrapping_div(tick);
    // Counted so that the predicate turns from false to true as the index grows, on either side.
    let side = if above { 1 } else { -1 };
    let units = |index: i64| index.wrapping_mul(side).wrapping_mul(tick);
    let true_at = |index: i64| holds(units(index));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and the search corrects any guess"
    )]
    let guess = ((guess / tick as f64).round() as i64)
        .wrapping_mul(side)
        .clamp(-end, end);

    // Gallop from the guess to a pair (false, true), then halve the gap.
    let mut step = 1_i64;
    let (mut low, mut high) = (guess, guess);
    if true_at(guess) {
        loop {
            if high == -end {
                return PriceLevel::always(above);
            }
            low = high.saturating_sub(step).max(-end);
            if !true_at(low) {
                break;
            }
            high = low;
            step = step.saturating_mul(2);
        }
    } else {
        loop {
            if low == end {
                return PriceLevel::never(above);
            }
            high = low.saturating_add(step).min(end);
            if true_at(high) {
                break;
            }
            low = high;
            step = step.saturating_mul(2);
        }
    }
    while high.wrapping_sub(low) > 1 {
        let middle = low.wrapping_add(high.wrapping_sub(low) / 2);
        if true_at(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    PriceLevel {
        at: Price(units(high)),
        above,
    }
}

/// The close at which the RSI is `t`, rupees; anything when there is none (indicators.md, section
/// 4).
pub(crate) fn rsi_guess(state: &State, constants: &Constants, t: f64) -> f64 {
    let less_one = constants.rsi_length() - 1.0;
    let [up, down] = [state.averages[0] * less_one, state.averages[1] * less_one];
    let odds = t / (100.0 - t);
    let x = odds * down - up;
    state.close + if x >= 0.0 { x } else { x / odds }
}

/// The close at which the ROC is `t` percent of `base`, in the base's unit.
pub(crate) fn roc_guess(base: f64, t: f64) -> f64 {
    base + base * t / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_found_from_any_guess_on_both_sides() {
        for turn in [-70_000_i64, -1, 0, 1, 12_345] {
            for tick in [1, 5, 500] {
                for guess in [0.0, -1e9, 1e9, f64::NAN, f64::INFINITY, turn as f64] {
                    let above = settle(guess, Price(tick), true, |c| c > turn);
                    assert_eq!(
                        above.at,
                        Price((turn.div_euclid(tick) + 1) * tick),
                        "{turn} {tick}"
                    );
                    let below = settle(guess, Price(tick), false, |c| c <= turn);
                    assert_eq!(
                        below.at,
                        Price(turn.div_euclid(tick) * tick),
                        "{turn} {tick}"
                    );
                }
            }
        }
    }

    #[test]
    fn never_and_always_are_levels_too() {
        for above in [true, false] {
            assert_eq!(
                settle(1.0, Price(5), above, |_| false),
                PriceLevel::never(above)
            );
            assert_eq!(
                settle(1.0, Price(5), above, |_| true),
                PriceLevel::always(above)
            );
            for close in [-UNITS_MAX, 0, UNITS_MAX].map(Price) {
                assert!(!PriceLevel::never(above).holds(close));
                assert!(PriceLevel::always(above).holds(close));
            }
        }
    }
}
