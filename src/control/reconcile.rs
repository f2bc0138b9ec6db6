//! The periodic comparison of positions: what the venue shows against what our fills come to.
//!
//! ```text
//!   every 60 s a look ──► per contract, when nothing was filled in it for 15 s:
//!      first one, no order of it open ──► what the account holds of it beside our fills
//!      moved as our fills did         ──► agrees
//!      did not ──► a look 10 s later ──► the same difference: it is told, once ──► looks every 10 s until it agrees
//!                                   └──► another one, or none: looked at again
//! ```
//!
//! Promises
//! - No I/O, no clock but the `now` passed in.
//! - One look alone says nothing: an order in flight, an old page or half a page raise no alarm, and nothing is
//!   concluded from a list that lacks a contract but that it may be flat there.
//! - A difference is told when it is new, when it changes and when it ends.
//! - What the account held before, and what others trade before the first look, is not ours to compare.
//!
//! Deliberately absent: repairing. Nothing is ever sent because positions differ; a person decides.

use crate::model::{InstrumentIx, MonoNanos, Token};
use crate::venue::books::Positions;
use std::collections::BTreeSet;

const SECOND: u64 = 1_000_000_000;
/// Time between two looks (reliability, S3).
const PERIOD_NS: u64 = 60 * SECOND;
/// The same while anything is in doubt.
const AGAIN_NS: u64 = 10 * SECOND;
/// Time a venue's positions are given to show a fill, and the order book to tell us of one.
const QUIET_NS: u64 = 15 * SECOND;

/// A contract of which the venue shows something else than our fills come to, or no longer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub instrument: InstrumentIx,
    /// Net units by our fills, and what the account held beside them.
    pub ours: i64,
    /// Net units at the venue.
    pub venue: i64,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    token: Token,
    /// Net units of our fills since the start.
    ours: i64,
    /// When a fill was last heard of.
    filled: Option<MonoNanos>,
    /// What the account holds beside them.
    base: Option<i64>,
    /// A difference that one look showed.
    doubt: Option<i64>,
    /// The difference that people know of.
    told: i64,
}

/// Compares positions.
#[derive(Debug)]
pub struct Reconciler {
    rows: Vec<Row>,
    due: MonoNanos,
}

impl Reconciler {
    /// Compares contracts by their tokens, in the order of their indices; the first look is due at once.
    pub fn new(tokens: &[Token]) -> Self {
        let row = |token: &Token| Row {
            token: *token,
            ours: 0,
            filled: None,
            base: None,
            doubt: None,
            told: 0,
        };
        Self {
            rows: tokens.iter().map(row).collect(),
            due: MonoNanos(0),
        }
    }

    /// Counts a fill that was heard of at `now`; `units` are negative when sold.
    pub fn fill(&mut self, instrument: InstrumentIx, units: i64, now: MonoNanos) {
        if let Some(row) = self.rows.get_mut(instrument.at()) {
            row.ours = row.ours.saturating_add(units);
            row.filled = Some(now);
        }
    }

    /// True when the positions are to be read.
    pub fn is_due(&self, now: MonoNanos) -> bool {
        now >= self.due
    }

    /// The positions could not be read.
    pub const fn unread(&mut self, now: MonoNanos) {
        self.due = now.plus(AGAIN_NS);
    }

    /// Takes the positions as a read begun at `begun` showed them, once everything heard until `now` was counted; `open`
    /// are the contracts in which orders have no end.
    pub fn look(
        &mut self,
        positions: &Positions,
        open: &BTreeSet<Token>,
        (begun, now): (MonoNanos, MonoNanos),
    ) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut is_doubted = false;
        for (at, row) in (0_u16..).zip(&mut self.rows) {
            let mut own = positions.net.iter().filter(|of| of.token == row.token);
            // Where quantities are in lots the venue's units are not ours.
            if own.clone().any(|of| of.multiplier != 1) {
                continue;
            }
            let venue = own.try_fold(0_i64, |sum, of| sum.checked_add(of.net.0));
            let is_quiet = row.filled.is_none_or(|at| begun.since(at) >= QUIET_NS);
            match venue.filter(|_| is_quiet) {
                Some(venue) => {
                    found.extend(row.look(venue, open).then_some(Difference {
                        instrument: InstrumentIx(at),
                        ours: row.base.unwrap_or(0).saturating_add(row.ours),
                        venue,
                    }));
                    is_doubted |= row.doubt.is_some() || row.told != 0;
                }
                None => is_doubted |= row.doubt.is_some() || row.told != 0,
            }
        }
        self.due = now.plus(if is_doubted { AGAIN_NS } else { PERIOD_NS });
        found
    }
}

impl Row {
    /// Takes what the venue shows; true when people must be told.
    fn look(&mut self, venue: i64, open: &BTreeSet<Token>) -> bool {
        let Some(base) = self.base else {
            if !open.contains(&self.token) {
                self.base = Some(venue.saturating_sub(self.ours));
            }
            return false;
        };
        let differs = venue.saturating_sub(base).saturating_sub(self.ours);
        if differs == self.told {
            self.doubt = None;
            return false;
        }
        if self.doubt != Some(differs) {
            self.doubt = Some(differs);
            return false;
        }
        (self.doubt, self.told) = (None, differs);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Money, NetQty, Price, Qty};
    use crate::venue::books::PositionRow;

    const CALL: InstrumentIx = InstrumentIx(0);

    fn row(token: u32, net: i64) -> PositionRow {
        PositionRow {
            exchange: "NFO".to_owned(),
            symbol: "X".to_owned(),
            token: Token(token),
            product: "NRML".to_owned(),
            net: NetQty(net),
            overnight: NetQty(0),
            multiplier: 1,
            average: Price(0),
            last: Price(0),
            bought: Qty(0),
            sold: Qty(0),
            bought_value: Money::ZERO,
            sold_value: Money::ZERO,
            pnl: Money::ZERO,
        }
    }

    fn holding(rows: &[(u32, i64)]) -> Positions {
        Positions {
            net: rows.iter().map(|(token, net)| row(*token, *net)).collect(),
            day: Vec::new(),
        }
    }

    fn at(seconds: u64) -> MonoNanos {
        MonoNanos(seconds * SECOND)
    }

    /// A reconciler of two contracts and what it says of looks at them.
    struct Desk(Reconciler);

    impl Desk {
        fn new() -> Self {
            Self(Reconciler::new(&[Token(5), Token(6)]))
        }

        /// What a look in this second says: units of the first contract by our fills, and at the venue.
        fn look(&mut self, second: u64, call: i64) -> Vec<(i64, i64)> {
            assert!(self.0.is_due(at(second)), "{second}");
            let shown = holding(&[(5, call), (6, 40)]);
            let moments = (at(second), at(second));
            let found = self.0.look(&shown, &BTreeSet::new(), moments);
            assert!(found.iter().all(|one| one.instrument == CALL), "{found:?}");
            found.iter().map(|one| (one.ours, one.venue)).collect()
        }
    }

    #[test]
    fn a_difference_that_two_looks_show_is_told_once_and_so_is_its_end() {
        let mut desk = Desk::new();
        assert_eq!(desk.look(0, 30), [], "what the account held before");
        desk.0.fill(CALL, 75, at(1));
        assert!(!desk.0.is_due(at(59)));
        assert_eq!(desk.look(60, 105), []);
        assert_eq!(desk.look(120, 30), [], "one look says nothing");
        assert!(!desk.0.is_due(at(129)));
        assert_eq!(desk.look(130, 30), [(105, 30)]);
        assert_eq!(desk.look(140, 30), [], "it is known");
        assert_eq!(desk.look(150, 105), [], "one look says nothing");
        assert_eq!(desk.look(160, 105), [(105, 105)]);
        assert!(!desk.0.is_due(at(219)));
    }

    #[test]
    fn what_an_order_in_flight_does_between_two_looks_is_no_difference() {
        let mut desk = Desk::new();
        assert_eq!(desk.look(0, 0), []);
        // Filled at the venue; the fill is heard of five seconds later.
        assert_eq!(desk.look(60, 75), []);
        desk.0.fill(CALL, 75, at(65));
        assert_eq!(desk.look(70, 75), [], "too soon to say anything");
        assert_eq!(desk.look(80, 75), []);
        assert!(!desk.0.is_due(at(139)), "in doubt no more");
        // The venue's page is old at one look, and the difference another one at the next.
        assert_eq!(desk.look(140, 0), []);
        assert_eq!(desk.look(150, 150), []);
        assert_eq!(desk.look(160, 75), []);
    }

    #[test]
    fn a_contract_is_compared_from_a_look_on_at_which_no_order_of_it_was_open() {
        let mut all = Reconciler::new(&[Token(5), Token(6)]);
        let open = BTreeSet::from([Token(5)]);
        let look = |all: &mut Reconciler, second, call, open: &BTreeSet<Token>| {
            all.look(&holding(&[(5, call)]), open, (at(second), at(second)))
        };
        // An order of an earlier run fills right when the first look is made.
        assert_eq!(look(&mut all, 0, 75, &open), []);
        all.fill(CALL, 75, at(1));
        for second in [60, 120] {
            assert_eq!(look(&mut all, second, 75, &BTreeSet::new()), []);
        }
        assert_eq!(look(&mut all, 180, 0, &BTreeSet::new()), []);
        let found = look(&mut all, 190, 0, &BTreeSet::new());
        assert_eq!((found.len(), found[0].ours, found[0].venue), (1, 75, 0));
    }

    #[test]
    fn quantities_in_lots_are_not_compared_and_rows_of_one_contract_are_added_up() {
        let mut all = Reconciler::new(&[Token(5), Token(6)]);
        let look = |all: &mut Reconciler, second, shown: &Positions| {
            all.look(shown, &BTreeSet::new(), (at(second), at(second)))
        };
        assert_eq!(look(&mut all, 0, &holding(&[])), []);
        all.fill(CALL, 75, at(1));
        let mut shown = holding(&[(5, 100), (5, -25), (6, 1)]);
        shown.net[2].multiplier = 100;
        for second in [60, 70, 80] {
            assert_eq!(look(&mut all, second, &shown), []);
        }
    }

    #[test]
    fn what_cannot_be_read_is_read_again_soon() {
        let mut all = Reconciler::new(&[Token(5)]);
        all.unread(at(7));
        assert!(!all.is_due(at(16)) && all.is_due(at(17)));
    }
}
