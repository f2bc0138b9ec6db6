//! Chance that repeats: the same seed gives the same numbers on every machine.
//!
//! Two kinds. [`Dice`] is a ChaCha stream for anything that happens in sequence (the price path, the fate
//! of orders). [`Noise`] is a hash of where we are (instrument, step) for anything that must not depend on
//! who asked before. Normals are sums of twelve uniforms: no library function whose last bit differs
//! between platforms touches a price path.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A seeded stream of chance.
pub(crate) struct Dice {
    stream: ChaCha8Rng,
}

impl Dice {
    /// The stream `number` of a seed; streams of one seed are independent.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(number);
        Self { stream }
    }

    /// Uniform in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        f64::from(self.stream.next_u32()) / 4_294_967_296.0
    }

    /// Standard normal within ±6.
    pub(crate) fn normal(&mut self) -> f64 {
        let mut sum = 0_u64;
        for _ in 0..12 {
            sum += u64::from(self.stream.next_u32());
        }
        sum as f64 / 4_294_967_296.0 - 6.0
    }

    /// Uniform in `0..limit`; zero when the limit is zero.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        let wide = (u64::from(self.stream.next_u32()) * u64::from(limit)) >> 32;
        u32::try_from(wide).unwrap_or(0)
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: f64) -> bool {
        self.uniform() * 100.0 < percent
    }
}

/// Chance that depends only on where it is asked for.
pub(crate) struct Noise {
    state: u64,
}

impl Noise {
    /// The noise of a place: seed, instrument, step.
    pub(crate) fn at(seed: u64, instrument: u64, step: u64) -> Self {
        let mut noise = Self {
            state: seed ^ instrument.rotate_left(24) ^ step.rotate_left(48),
        };
        noise.state = noise.next() ^ step;
        noise
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `0..limit`; zero when the limit is zero.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        let wide = ((self.next() >> 32) * u64::from(limit)) >> 32;
        u32::try_from(wide).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_its_streams_differ() {
        let draw = |seed, number| {
            let mut dice = Dice::new(seed, number);
            (0..8).map(|_| dice.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn normals_have_mean_zero_and_deviation_one() {
        let mut dice = Dice::new(1, 1);
        let draws: Vec<f64> = (0..20_000).map(|_| dice.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
    }
}
