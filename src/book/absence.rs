//! The proof that an order of unknown outcome never existed (reliability, section 2.4).
//!
//! ```text
//!   last byte ──── settle (15 s) ────►│ read 1 begins        read 2 begins        trade list begins
//!                                     │ whole, no tag   ──►  whole, no tag   ──►  whole, agrees  ──► Absent
//!        a read in here proves nothing│        │                    │                   │
//!                                     └────────┴── failed, partial, doubted, disagreeing ──► from the start
//!   any read that shows the tag, whole or not, early or late ──► Found, for good
//! ```
//!
//! Promises
//! - `Absent` has this one way in. Time alone, one read twice, or a read nobody believes is no step on it.
//! - `Found` and `Absent` are final: later reads change neither.
//! - Pure: the same reads in the same order give the same answer.
//!
//! Deliberately absent: who reads and when, and whether a read is believable. `control::inquire` knows both.

use crate::model::MonoNanos;

/// What a read of the order book says of one tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookRead {
    /// When the first byte of the request left.
    pub begun: MonoNanos,
    /// True when the answer was a success, read whole, and lacks nothing we know of.
    pub complete: bool,
    /// True when it shows the tag.
    pub contains: bool,
}

/// What a read of the trade list says of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeRead {
    /// When the first byte of the request left.
    pub begun: MonoNanos,
    /// True when the answer was a success and read whole.
    pub complete: bool,
    /// True when no trade in it could be one of this order.
    pub agrees: bool,
}

/// How far the proof is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Not enough evidence either way.
    Pending,
    /// The venue has the order.
    Found,
    /// It never existed: the leg may be sent again with the next attempt.
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    /// One good read, begun then.
    Once(MonoNanos),
    /// Two good reads, the second begun then.
    Twice(MonoNanos),
    Found,
    Absent,
}

/// The proof for one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    settled: MonoNanos,
    step: Step,
}

impl Absence {
    /// Starts a proof; `last_byte` is when the last byte of the order left, `settle_ns` the nanoseconds a venue
    /// is given to show it (15 s).
    pub const fn new(last_byte: MonoNanos, settle_ns: u64) -> Self {
        Self {
            settled: last_byte.plus(settle_ns),
            step: Step::Nothing,
        }
    }

    /// Takes a read of the order book.
    pub fn read(&mut self, read: BookRead) -> Proof {
        self.step = match self.step {
            Step::Found | Step::Absent => self.step,
            _ if read.contains => Step::Found,
            _ if !read.complete || read.begun < self.settled => Step::Nothing,
            Step::Nothing => Step::Once(read.begun),
            // A read that began no later is the same read again, or an older one.
            Step::Once(first) if read.begun > first => Step::Twice(read.begun),
            Step::Once(first) => Step::Once(first),
            // More of the same: the trade list must be newer than any read it is held against.
            Step::Twice(second) => Step::Twice(second.max(read.begun)),
        };
        self.proof()
    }

    /// Takes a read of the trade list; one begun before the second read of the order book says nothing.
    pub fn trades(&mut self, read: TradeRead) -> Proof {
        self.step = match self.step {
            Step::Once(_) | Step::Twice(_) if !read.complete || !read.agrees => Step::Nothing,
            Step::Twice(second) if read.begun > second => Step::Absent,
            step => step,
        };
        self.proof()
    }

    /// How far the proof is.
    pub const fn proof(&self) -> Proof {
        match self.step {
            Step::Nothing | Step::Once(_) | Step::Twice(_) => Proof::Pending,
            Step::Found => Proof::Found,
            Step::Absent => Proof::Absent,
        }
    }

    /// First moment at which a read of the order book counts.
    pub const fn settled(&self) -> MonoNanos {
        self.settled
    }

    /// True before the first read that counts.
    pub const fn needs_first_read(&self) -> bool {
        matches!(self.step, Step::Nothing)
    }

    /// True when the trade list is all that is missing.
    pub const fn needs_trades(&self) -> bool {
        matches!(self.step, Step::Twice(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: u64 = 15_000_000_000;

    fn book(begun: u64) -> BookRead {
        BookRead {
            begun: MonoNanos(begun),
            complete: true,
            contains: false,
        }
    }

    fn trades(begun: u64) -> TradeRead {
        TradeRead {
            begun: MonoNanos(begun),
            complete: true,
            agrees: true,
        }
    }

    fn fresh() -> Absence {
        Absence::new(MonoNanos(100), SETTLE)
    }

    #[test]
    fn two_whole_reads_after_the_settle_and_an_agreeing_trade_list_prove_absence() {
        let at = 100 + SETTLE;
        let mut proof = fresh();
        assert_eq!(proof.read(book(at)), Proof::Pending);
        assert_eq!(proof.read(book(at + 1)), Proof::Pending);
        assert_eq!(proof.trades(trades(at + 2)), Proof::Absent);
        let late = BookRead {
            contains: true,
            ..book(at + 3)
        };
        assert_eq!(proof.read(late), Proof::Absent, "final");
    }

    #[test]
    fn a_read_begun_one_nanosecond_before_the_settle_does_not_count() {
        let at = 100 + SETTLE;
        let mut proof = fresh();
        proof.read(book(at - 1));
        proof.read(book(at));
        assert_eq!(proof.trades(trades(at + 5)), Proof::Pending);
        proof.read(book(at + 6));
        assert_eq!(proof.trades(trades(at + 6)), Proof::Pending, "not newer");
        assert_eq!(proof.trades(trades(at + 7)), Proof::Absent);
    }

    #[test]
    fn the_same_read_twice_is_one_read() {
        let at = 100 + SETTLE;
        let mut proof = fresh();
        for _ in 0..5 {
            proof.read(book(at));
        }
        assert_eq!(proof.trades(trades(at + 1)), Proof::Pending);
    }

    #[test]
    fn a_doubtful_read_or_a_disagreeing_trade_list_starts_over() {
        let at = 100 + SETTLE;
        let partial = BookRead {
            complete: false,
            ..book(at + 2)
        };
        let mut proof = fresh();
        proof.read(book(at));
        proof.read(partial);
        proof.read(book(at + 3));
        assert_eq!(proof.trades(trades(at + 4)), Proof::Pending);
        for doubtful in [
            TradeRead {
                complete: false,
                ..trades(at + 9)
            },
            TradeRead {
                agrees: false,
                ..trades(at + 9)
            },
        ] {
            let mut proof = fresh();
            proof.read(book(at));
            proof.read(book(at + 1));
            assert_eq!(proof.trades(doubtful), Proof::Pending);
            assert!(proof.needs_first_read());
            assert_eq!(proof.trades(trades(at + 10)), Proof::Pending);
            proof.read(book(at + 11));
            proof.read(book(at + 12));
            assert_eq!(proof.trades(trades(at + 13)), Proof::Absent);
        }
    }

    #[test]
    fn one_sight_of_the_tag_is_enough_even_early_or_in_a_partial_read() {
        let seen = BookRead {
            begun: MonoNanos(1),
            complete: false,
            contains: true,
        };
        let mut proof = fresh();
        assert_eq!(proof.read(seen), Proof::Found);
        let at = 100 + SETTLE;
        proof.read(book(at));
        proof.read(book(at + 1));
        assert_eq!(proof.trades(trades(at + 2)), Proof::Found, "final");
    }

    #[test]
    fn no_amount_of_time_or_trade_lists_alone_proves_anything() {
        let mut proof = fresh();
        for hour in 1..24 {
            assert_eq!(
                proof.trades(trades(hour * 3_600_000_000_000)),
                Proof::Pending
            );
        }
    }
}
