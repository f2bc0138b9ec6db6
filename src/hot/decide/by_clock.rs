//! What the clock brings about when no price does: bars that end, and exits that need none.

use super::Decide;
use crate::hot::compute::Unit;
use crate::hot::evaluate::Occasion;
use crate::model::{Bar, MonoNanos, Stamp, WallNanos};
use crate::store::tape;

/// What is watched was not heard of: an exit that stands, or that the time of day asks for, is left to the clock.
const UNHEARD_NS: u64 = 1_000_000_000;

impl Decide {
    /// Closes bars whose interval ended by `due.wall` though no tick said so.
    #[cold]
    pub fn on_clock(&mut self, due: Stamp) {
        if let Some(recorder) = &mut self.parts.recorder {
            recorder.push(&[&tape::clock_record(due)]);
        }
        for unit in 0..self.compute.units().len() {
            if let Some(bar) = self.compute.close_due(unit, due.wall) {
                self.totals.bars_by_clock = self.totals.bars_by_clock.wrapping_add(1);
                let instrument = self.compute.units()[unit].instrument;
                let mut tick = self.compute.latest(instrument);
                tick.received = due.mono;
                tick.exchange_time = due.wall;
                self.close(unit, &bar, &tick);
            }
        }
        for unit in 0..self.compute.units().len() {
            self.look_without_price(unit, due);
        }
        self.told.by_clock();
        self.compute.reset_due();
    }

    /// True when something is held that has to be closed whether prices come or not, and none came for a while; looked
    /// up as seldom as that.
    #[inline]
    pub(super) fn wants_clock(&mut self, mono: MonoNanos, wall: WallNanos) -> bool {
        if mono.since(self.clocked) < UNHEARD_NS {
            return false;
        }
        self.clocked = mono;
        (0..self.compute.units().len()).any(|unit| self.is_unheard(unit, mono, wall))
    }

    fn is_unheard(&self, unit: usize, mono: MonoNanos, wall: WallNanos) -> bool {
        let of = &self.compute.units()[unit];
        let latest = self.compute.latest(of.instrument);
        latest.merged != 0
            && mono.since(latest.received) >= UNHEARD_NS
            && self
                .evaluate
                .wants_clock(of.strategy, wall, self.close_of(unit))
    }

    /// Decides an exit that needs no price, on what was heard last.
    fn look_without_price(&mut self, unit: usize, due: Stamp) {
        if !self.is_unheard(unit, due.mono, due.wall) {
            return;
        }
        let Unit {
            strategy,
            instrument,
            ..
        } = self.compute.units()[unit];
        let mut tick = self.compute.latest(instrument);
        (tick.received, tick.exchange_time) = (due.mono, due.wall);
        let forming = self.compute.units()[unit].forming().copied();
        let bar = forming.unwrap_or(Bar {
            start: due.wall,
            end: due.wall,
            open: tick.last,
            high: tick.last,
            low: tick.last,
            close: tick.last,
            ..Bar::default()
        });
        if self.evaluate.needs_slots(strategy) {
            self.compute.unit(unit).peek(&bar);
        }
        let compute = &self.compute;
        let occasion = Occasion {
            bar_closes: false,
            is_rehearsed: false,
            slots: compute.units()[unit].bank().slots(),
            bar: &bar,
            tick: &tick,
            close: self.close_of(unit),
        };
        let latest = |instrument| compute.latest(instrument);
        let verdict = self.evaluate.evaluate_by_clock(strategy, &occasion, latest);
        self.take_verdict(verdict, (unit, strategy), (false, &bar, &tick), false);
    }
}
