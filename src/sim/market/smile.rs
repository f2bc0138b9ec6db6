//! What an option is worth: Black-76 on the future of its expiry, with a volatility smile.
//!
//! The smile is quadratic in standardised moneyness with a negative slope, as index options show it. It is a
//! plausible market, not a model of any exchange's closing volatilities.

use crate::model::Right;

/// Yearly risk-free rate the simulated market discounts with.
const RATE: f64 = 0.065;
/// Seconds in the year option time is counted in.
const YEAR_S: f64 = 365.0 * 86_400.0;
/// Below this an option is worth what exercising it gives: the last second of its life.
const INSTANT_YEARS: f64 = 1.0 / YEAR_S;

/// One option as its price sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Option76 {
    pub(crate) right: Right,
    pub(crate) forward: f64,
    pub(crate) strike: f64,
    pub(crate) years: f64,
    /// At-the-money volatility a year, as a fraction.
    pub(crate) level: f64,
}

/// Years in a number of seconds.
pub(crate) fn years(seconds: f64) -> f64 {
    seconds.max(0.0) / YEAR_S
}

impl Option76 {
    /// Implied volatility of this strike.
    pub(crate) fn volatility(&self) -> f64 {
        // Wings flatten near expiry instead of exploding: moneyness is scaled by at least a day's deviation.
        let scale = self.level * self.years.max(1.0 / 365.0).sqrt();
        let moneyness = ((self.strike / self.forward).ln() / scale).clamp(-6.0, 6.0);
        self.level * (1.0 - 0.045 * moneyness + 0.022 * moneyness * moneyness)
    }

    /// Present value in rupees, never negative.
    pub(crate) fn value(&self) -> f64 {
        let sign = match self.right {
            Right::Call => 1.0,
            Right::Put => -1.0,
        };
        let intrinsic = (sign * (self.forward - self.strike)).max(0.0);
        if self.years < INSTANT_YEARS || self.strike <= 0.0 || self.forward <= 0.0 {
            return intrinsic;
        }
        let deviation = self.volatility() * self.years.sqrt();
        let d1 = (self.forward / self.strike).ln() / deviation + deviation / 2.0;
        let d2 = d1 - deviation;
        let undiscounted =
            sign * (self.forward * cumulative(sign * d1) - self.strike * cumulative(sign * d2));
        (undiscounted * (-RATE * self.years).exp()).max(0.0)
    }
}

/// Cumulative normal distribution (Abramowitz and Stegun 26.2.17, absolute error below 7.5e-8).
fn cumulative(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let density = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let upper = density * poly;
    if x >= 0.0 { 1.0 - upper } else { upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(right: Right, strike: f64, years: f64) -> Option76 {
        Option76 {
            right,
            forward: 52_000.0,
            strike,
            years,
            level: 0.15,
        }
    }

    #[test]
    fn call_minus_put_is_the_discounted_forward() {
        for strike in [48_000.0, 52_000.0, 55_500.0] {
            let t = 30.0 / 365.0;
            let parity =
                option(Right::Call, strike, t).value() - option(Right::Put, strike, t).value();
            let expected = (52_000.0 - strike) * (-RATE * t).exp();
            assert!(
                (parity - expected).abs() < 0.02,
                "{strike}: {parity} against {expected}"
            );
        }
    }

    #[test]
    fn an_at_the_money_option_costs_what_the_textbook_says() {
        // F·(2·N(σ√T/2) − 1)·e^(−rT) for the strike at the forward.
        let value = option(Right::Call, 52_000.0, 0.25).value();
        assert!(
            (value - 52_000.0 * 0.029_895 * (-RATE * 0.25_f64).exp()).abs() < 1.0,
            "{value}"
        );
    }

    #[test]
    fn low_strikes_carry_more_volatility_and_an_expired_option_its_exercise_value() {
        let t = 10.0 / 365.0;
        let low = option(Right::Put, 50_000.0, t).volatility();
        assert!(low > option(Right::Put, 52_000.0, t).volatility());
        assert_eq!(option(Right::Call, 51_000.0, 0.0).value(), 1_000.0);
        assert_eq!(option(Right::Put, 51_000.0, 0.0).value(), 0.0);
    }
}
