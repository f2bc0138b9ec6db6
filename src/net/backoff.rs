//! How long to wait before the next attempt to connect: growing, capped, jittered, reset by success.

use std::time::Duration;

/// Waiting times between 0.1 s and 30 s, doubling, with up to half of each taken away at random.
#[derive(Clone, Debug)]
pub struct Backoff {
    attempt: u32,
    state: u64,
}

const FIRST_MS: u64 = 200;
const CAP_MS: u64 = 30_000;

impl Backoff {
    /// Starts at the shortest wait; `seed` chooses the jitter.
    pub const fn new(seed: u64) -> Self {
        Self {
            attempt: 0,
            state: seed | 1,
        }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let full = FIRST_MS
            .saturating_mul(1 << self.attempt.min(16))
            .min(CAP_MS);
        self.attempt = self.attempt.saturating_add(1);
        // xorshift: jitter needs no quality, only difference.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        Duration::from_millis(full - self.state % (full / 2 + 1))
    }

    /// Called after success: the next wait is the shortest again.
    pub const fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_bounds_and_start_over() {
        let mut backoff = Backoff::new(42);
        let waits: Vec<u128> = (0..500).map(|_| backoff.next_wait().as_millis()).collect();
        assert!(waits.iter().all(|w| (100..=30_000).contains(w)));
        assert!(waits[0] <= 200 && waits[20] >= 15_000);
        assert!(waits[20..].windows(2).any(|w| w[0] != w[1]), "jitter");
        backoff.reset();
        assert!(backoff.next_wait().as_millis() <= 200);
    }
}
