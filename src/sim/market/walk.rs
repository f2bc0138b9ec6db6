//! The seeded price path of an index: volatility that clusters, trends that come and go.
//!
//! The path is a product of small steps. Volatility returns to a level that changes with the regime; a
//! regime lasts twenty minutes to two hours and has a drift up, down or none, so that strategies that
//! follow trends find some and are also fooled. Arithmetic and square roots only: the same on every machine.

use crate::sim::dice::Dice;

/// What a day of an index looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Temper {
    /// Standard deviation of a day's move, as a fraction.
    pub(crate) daily: f64,
    /// Steps in the day.
    pub(crate) steps: usize,
    /// Steps in one minute.
    pub(crate) per_minute: f64,
}

/// Price relative to the open and volatility relative to its level, step by step.
pub(crate) struct Path {
    pub(crate) price: Vec<f64>,
    pub(crate) stir: Vec<f32>,
}

/// Draws a day that starts at 1.
#[expect(
    clippy::cast_possible_truncation,
    reason = "regime lengths are minutes of one day"
)]
#[expect(clippy::cast_sign_loss, reason = "a length is positive")]
pub(crate) fn draw(temper: Temper, dice: &mut Dice) -> Path {
    let step = temper.daily / (temper.steps.max(1) as f64).sqrt();
    let mut path = Path {
        price: Vec::with_capacity(temper.steps),
        stir: Vec::with_capacity(temper.steps),
    };
    let (mut price, mut stir, mut calm) = (1.0_f64, 1.2_f64, 1.0_f64);
    let (mut drift, mut left) = (0.0_f64, 0_usize);
    // Pull towards the regime's level over about five minutes; shocks in proportion.
    let pull = 1.0 / (5.0 * temper.per_minute);
    let shock = 0.35 * pull.sqrt();
    for _ in 0..temper.steps {
        if left == 0 {
            let minutes = 20.0 + 100.0 * dice.uniform();
            left = (minutes * temper.per_minute).max(1.0) as usize;
            // In units of a step's deviation over the regime: 1.6 deviations when it trends.
            let strength = match dice.below(10) {
                0..=2 => 1.0 + 1.4 * dice.uniform(),
                3..=5 => -(1.0 + 1.4 * dice.uniform()),
                _ => 0.3 * (dice.uniform() - 0.5),
            };
            drift = strength * step / (left as f64).sqrt();
            calm = 0.6 + 0.9 * dice.uniform();
        }
        left -= 1;
        path.price.push(price);
        path.stir.push(stir as f32);
        stir = (stir + pull * (calm - stir) + shock * stir * dice.normal()).clamp(0.3, 3.0);
        price *= 1.0 + drift + step * stir * dice.normal();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_differ_in_size_and_direction_and_stay_plausible() {
        let temper = Temper {
            daily: 0.011,
            steps: 4_620,
            per_minute: 12.0,
        };
        let closes: Vec<f64> = (0..200)
            .map(|day| {
                draw(temper, &mut Dice::new(1, day))
                    .price
                    .last()
                    .copied()
                    .unwrap_or(1.0)
            })
            .collect();
        let up = closes.iter().filter(|close| **close > 1.0).count();
        assert!((60..140).contains(&up), "{up} of 200 days rise");
        let deviation = (closes.iter().map(|c| (c - 1.0) * (c - 1.0)).sum::<f64>() / 200.0).sqrt();
        assert!(
            (0.006..0.025).contains(&deviation),
            "a day moves {deviation}"
        );
        assert!(closes.iter().all(|c| (0.88..1.12).contains(c)));
    }
}
