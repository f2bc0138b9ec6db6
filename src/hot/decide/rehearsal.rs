//! Staying warm: while no tick comes, the latest one is taken once more, up to where something would change.
//!
//! Promises
//! - The instructions are those of a real tick; what it decides is told to who rehearses orders and to nobody else.
//! - No bar, position, count or digest changes, and prices are written again as they stand.

use super::Decide;
use crate::model::{Bar, MonoNanos};
use crate::ring::Aims;

impl Decide {
    /// Walks the path of a decision whenever no tick came for this long, so that the next one finds it warm, and
    /// tells what it would order.
    #[must_use]
    pub fn rehearsing(mut self, interval_ns: u64, aims: Aims) -> Self {
        self.rehearse_ns = interval_ns;
        self.aims = aims;
        self
    }

    /// Takes the latest tick of one unit after another once more, up to where something would change.
    pub(super) fn rehearse(&mut self, now: MonoNanos) {
        self.rehearsed = now;
        let count = self.compute.units().len();
        self.rehearsing_unit = self.rehearsing_unit.wrapping_add(1);
        let unit = self.rehearsing_unit.checked_rem(count).unwrap_or(0);
        let Some(own) = self.compute.units().get(unit) else {
            return;
        };
        let tick = self.compute.latest(own.instrument);
        let time = tick.exchange_time;
        let is_in = |bar: &Bar| bar.start <= time && time < bar.end;
        // What waits to be told has its place there: it goes first.
        let has_room = self.untold.is_empty() && self.undigested.is_empty() && self.told.is_empty();
        if has_room && own.forming().is_some_and(is_in) {
            // The same prices once more: who reads them sees no difference.
            self.keep(&tick);
            self.pass(unit, &tick, true);
        }
    }
}
