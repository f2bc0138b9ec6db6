//! The runaway guard: a strategy that sends or is refused too much in a short time is stopped.
//!
//! ```text
//!   order, order, order … ──► more than N within the window ──► stopped until an operator starts it again
//!   reject(margin) × M    ──► more than M of one kind       ──┘
//! ```
//!
//! Promises
//! - The window is rolling and exact; memory is fixed; one step whatever the load.
//! - Once stopped it stays stopped: a loop that pauses is still a loop. Exits are not stopped: see
//!   `rules::limits`.

use crate::model::{MonoNanos, RejectClass};

/// When a strategy has run away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunawayLimits {
    /// Orders within the window; one more stops the strategy.
    pub orders_max: u32,
    /// Rejections of one class within the window; one more stops the strategy.
    pub rejects_max: u32,
    /// Length of the window.
    pub window_ns: u64,
}

impl Default for RunawayLimits {
    /// 120 orders or 5 rejections of one kind within a minute.
    fn default() -> Self {
        Self {
            orders_max: 120,
            rejects_max: 5,
            window_ns: 60_000_000_000,
        }
    }
}

/// Number of rejection classes.
const CLASSES: usize = 5;

/// The guard of one strategy.
#[derive(Clone, Debug)]
pub struct Runaway {
    window_ns: u64,
    orders: Recent,
    rejects: [Recent; CLASSES],
    is_stopped: bool,
}

impl Runaway {
    /// A guard that saw nothing yet; allocates all it will ever need.
    pub fn new(limits: RunawayLimits) -> Self {
        Self {
            window_ns: limits.window_ns,
            orders: Recent::new(limits.orders_max),
            rejects: std::array::from_fn(|_| Recent::new(limits.rejects_max)),
            is_stopped: false,
        }
    }

    /// Notes an order that was sent; true when the strategy has to stop.
    #[inline]
    pub fn order(&mut self, now: MonoNanos) -> bool {
        self.is_stopped |= self.orders.note(now, self.window_ns);
        self.is_stopped
    }

    /// Notes a rejection; true when the strategy has to stop.
    #[inline]
    pub fn reject(&mut self, class: RejectClass, now: MonoNanos) -> bool {
        self.is_stopped |= self.rejects[place(class)].note(now, self.window_ns);
        self.is_stopped
    }

    /// True when it was stopped.
    pub const fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Starts it again with an empty window: an operator's act.
    pub fn restart(&mut self) {
        self.is_stopped = false;
        self.orders.clear();
        self.rejects.iter_mut().for_each(Recent::clear);
    }
}

const fn place(class: RejectClass) -> usize {
    match class {
        RejectClass::Session => 0,
        RejectClass::Permission => 1,
        RejectClass::Input => 2,
        RejectClass::Margin => 3,
        RejectClass::Order => 4,
    }
}

/// The latest moments, as many as are allowed within a window.
#[derive(Clone, Debug)]
struct Recent {
    at: Box<[MonoNanos]>,
    head: usize,
    filled: usize,
}

impl Recent {
    fn new(most: u32) -> Self {
        Self {
            at: vec![MonoNanos(0); usize::try_from(most).unwrap_or(0)].into_boxed_slice(),
            head: 0,
            filled: 0,
        }
    }

    /// Notes a moment; true when it is one too many within the window that ends with it.
    #[inline]
    fn note(&mut self, now: MonoNanos, window_ns: u64) -> bool {
        let Some(place) = self.at.get_mut(self.head) else {
            return true; // none are allowed
        };
        let oldest = std::mem::replace(place, now);
        let is_full = self.filled == self.at.len();
        self.head = (self.head + 1) % self.at.len();
        self.filled = (self.filled + 1).min(self.at.len());
        is_full && now.since(oldest) < window_ns
    }

    const fn clear(&mut self) {
        self.head = 0;
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: RunawayLimits = RunawayLimits {
        orders_max: 3,
        rejects_max: 2,
        window_ns: 100,
    };

    #[test]
    fn one_order_more_than_allowed_within_the_window_stops_the_strategy() {
        let orders = |moments: [u64; 4]| {
            let mut guard = Runaway::new(LIMITS);
            moments.map(|now| guard.order(MonoNanos(now)))
        };
        assert_eq!(orders([10, 20, 30, 109]), [false, false, false, true]);
        assert_eq!(orders([10, 20, 30, 110]), [false; 4], "a window later");
        assert_eq!(orders([0, 0, 0, 0]), [false, false, false, true]);
    }

    #[test]
    fn rejections_count_by_their_kind() {
        let mut guard = Runaway::new(LIMITS);
        let mut reject = |class, now| guard.reject(class, MonoNanos(now));
        assert!(!reject(RejectClass::Margin, 1));
        assert!(!reject(RejectClass::Margin, 2));
        for class in [
            RejectClass::Session,
            RejectClass::Permission,
            RejectClass::Input,
            RejectClass::Order,
        ] {
            assert!(!reject(class, 3) && !reject(class, 4), "{class:?}");
        }
        assert!(
            !reject(RejectClass::Margin, 101),
            "the first left the window"
        );
        assert!(reject(RejectClass::Margin, 101), "the second did not");
    }

    #[test]
    fn what_was_stopped_stays_stopped_until_it_is_started_again() {
        let mut guard = Runaway::new(LIMITS);
        (0..4).for_each(|now| _ = guard.order(MonoNanos(now)));
        assert!(guard.is_stopped());
        assert!(guard.order(MonoNanos(1_000_000)), "long after");
        assert!(guard.reject(RejectClass::Order, MonoNanos(2_000_000)));
        guard.restart();
        assert!(!guard.is_stopped());
        assert!(!guard.order(MonoNanos(2_000_001)));
    }

    proptest! {
        #[test]
        fn it_stops_exactly_when_a_recount_of_the_window_says_so(
            gaps in prop::collection::vec(0_u64..60, 1..40),
            orders_max in 0_u32..6,
        ) {
            let mut guard = Runaway::new(RunawayLimits { orders_max, ..LIMITS });
            let (mut moments, mut now, mut expected) = (Vec::new(), 1_000, false);
            for gap in gaps {
                now += gap;
                moments.push(now);
                let inside = moments.iter().filter(|at| now - **at < LIMITS.window_ns).count();
                expected |= inside > usize::try_from(orders_max).expect("small");
                prop_assert_eq!(guard.order(MonoNanos(now)), expected);
            }
        }
    }
}
