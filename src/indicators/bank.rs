//! One instrument's indicators: the suite plus whatever else a plan asks for, as numbered slots.
//!
//! ```text
//!   commit(bar) ─┬─► Suite ────► slots 5..20      closed bars move state
//!   peek(bar)  ──┼─► separate ─► slots 20..       the forming bar moves nothing
//!                └─► [k] rings ► slots ..
//! ```
//!
//! Promises
//! - Nothing is allocated after construction; a plan of the shipped strategy runs on the suite
//!   alone.
//! - A bar that is not sound is refused before anything moves; a forming one reads "not ready"
//!   everywhere.
//! - [`Bank::level`] decides exactly what the comparison of the slots would decide, on every price
//!   of the tick grid.

use super::compare::Cmp;
use super::extra::{Extra, History, Outputs};
use super::input::{BarFault, Ohlc, Scale, UNITS_MAX};
use super::levels::{PriceLevel, roc_guess, rsi_guess, settle};
use super::plan::{BankPlan, Shape, Slot, fixed};
use super::suite::Suite;
use super::words::{Visitor, Words, words_of};
use crate::model::{Bar, Price, Values};

/// A comparison that may become a price level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LevelSpec {
    /// `close CMP slot`
    CloseVsSlot {
        /// The slot.
        slot: Slot,
        /// The comparison.
        cmp: Cmp,
    },
    /// `slot CMP value`
    SlotVsValue {
        /// The slot.
        slot: Slot,
        /// The comparison.
        cmp: Cmp,
        /// The value, in the slot's unit.
        value: f64,
    },
}

impl LevelSpec {
    const fn parts(&self) -> (Slot, Cmp) {
        match self {
            Self::CloseVsSlot { slot, cmp } | Self::SlotVsValue { slot, cmp, .. } => (*slot, *cmp),
        }
    }
}

impl BankPlan {
    /// True when the comparison can become a price level: it then turns at most once as the close
    /// rises.
    pub fn level_kind(&self, spec: &LevelSpec) -> bool {
        let (slot, cmp) = spec.parts();
        can_be_level(self.shape(slot), spec) && !matches!(cmp, Cmp::Eq | Cmp::Ne)
    }
}

fn can_be_level(shape: Shape, spec: &LevelSpec) -> bool {
    match spec {
        LevelSpec::CloseVsSlot { .. } => matches!(shape, Shape::Constant | Shape::Average),
        LevelSpec::SlotVsValue { .. } => {
            matches!(
                shape,
                Shape::Close | Shape::Average | Shape::Rising | Shape::Turning
            )
        }
    }
}

/// A separate indicator and its slots.
#[derive(Clone, Debug)]
struct Placed {
    extra: Extra,
    first: usize,
    outputs: usize,
}

/// One instrument's set of indicators.
#[derive(Clone, Debug)]
pub struct Bank {
    suite: Suite,
    slots: Box<[f64]>,
    uses_suite: bool,
    uses_range: bool,
    committed: u64,
    extras: Box<[Placed]>,
    histories: Box<[History]>,
    shapes: Box<[Shape]>,
}

impl Bank {
    /// A bank before its first bar, in units of [`Price`].
    pub fn new(plan: &BankPlan) -> Self {
        Self::with_scale(plan, Scale::PRICE)
    }

    /// A bank whose bars carry another unit, such as 1/100 000 for currencies quoted with five
    /// decimals.
    fn with_scale(plan: &BankPlan, scale: Scale) -> Self {
        let placed = plan.extras.iter().map(|extra| Placed {
            extra: Extra::new(extra.kind),
            first: usize::from(extra.first),
            outputs: usize::from(extra.kind.outputs()),
        });
        let histories = plan
            .histories
            .iter()
            .map(|h| History::new(h.source, h.target, h.back));
        let slots = (0..=u16::MAX).take(plan.slots()).map(Slot);
        Self {
            suite: Suite::new(&plan.params(), scale),
            slots: vec![f64::NAN; plan.slots()].into_boxed_slice(),
            uses_suite: plan.uses_suite(),
            uses_range: plan.uses_range(),
            committed: 0,
            extras: placed.collect(),
            histories: histories.collect(),
            shapes: slots.map(|slot| plan.shape(slot)).collect(),
        }
    }

    /// Closes a bar.
    ///
    /// # Errors
    ///
    /// [`BarFault`] when the bar is not sound or out of range; nothing moved then.
    #[inline]
    pub fn commit(&mut self, bar: &Bar) -> Result<(), BarFault> {
        let ohlc = Ohlc::of(bar)?;
        self.write_bar(&ohlc, bar.volume);
        if self.uses_suite {
            let values = self.suite.commit(&ohlc);
            write_values(&mut self.slots, &values);
        }
        if !self.extras.is_empty() {
            let prices = self.suite.scale().prices(ohlc);
            for placed in &mut self.extras {
                let outputs = placed.extra.commit(&prices);
                write_outputs(&mut self.slots, placed, outputs);
            }
        }
        for history in &mut self.histories {
            let value = self.slots.get(history.source).copied().unwrap_or(f64::NAN);
            let ago = history.commit(value);
            if let Some(slot) = self.slots.get_mut(history.target) {
                *slot = ago;
            }
        }
        self.committed = self.committed.wrapping_add(1);
        Ok(())
    }

    /// Returns the slots as a commit of the forming bar would leave them; nothing else moves.
    ///
    /// A bar that is not sound reads NaN everywhere.
    #[inline]
    pub fn peek(&mut self, forming: &Bar) -> &[f64] {
        let Ok(ohlc) = Ohlc::of(forming) else {
            self.slots.fill(f64::NAN);
            return &self.slots;
        };
        self.write_bar(&ohlc, forming.volume);
        if self.uses_suite {
            let values = self.suite.peek(&ohlc);
            write_values(&mut self.slots, &values);
        }
        if !self.extras.is_empty() {
            let prices = self.suite.scale().prices(ohlc);
            for placed in &self.extras {
                let outputs = placed.extra.peek(&prices);
                write_outputs(&mut self.slots, placed, outputs);
            }
        }
        for history in &self.histories {
            if let Some(slot) = self.slots.get_mut(history.target) {
                *slot = history.forming();
            }
        }
        &self.slots
    }

    /// The slots as of the last commit or peek: doji as 1 and 0, NaN what is not ready or was not
    /// asked for.
    pub const fn slots(&self) -> &[f64] {
        &self.slots
    }

    /// Closed bars so far; a replaced one counts once.
    pub const fn committed_bars(&self) -> u64 {
        self.committed
    }

    /// Replaces the last committed bar by its correction.
    ///
    /// # Errors
    ///
    /// [`BarFault`] when the correction is not sound or nothing was committed; nothing moved then.
    pub fn replace_last(&mut self, bar: &Bar) -> Result<(), BarFault> {
        Ohlc::of(bar)?;
        if self.committed == 0 {
            return Err(BarFault::NothingToReplace);
        }
        if self.uses_suite {
            self.suite.undo()?;
        }
        self.extras
            .iter_mut()
            .for_each(|placed| placed.extra.undo());
        self.histories.iter_mut().for_each(History::undo);
        self.committed = self.committed.wrapping_sub(1);
        self.commit(bar)
    }

    /// The comparison as a price on the `tick` grid, constant until the next commit.
    ///
    /// `None` when it cannot be one (see [`BankPlan::level_kind`]) or the slot is not ready. Prices
    /// off the grid are not asked about: use a tick of `Price(1)` where they occur.
    pub fn level(&self, level: &LevelSpec, tick: Price) -> Option<PriceLevel> {
        let (slot, cmp) = level.parts();
        let shape = *self.shapes.get(slot.at())?;
        if !can_be_level(shape, level) {
            return None;
        }
        let falling = shape == Shape::Turning
            && self.value_at(slot, -UNITS_MAX) > self.value_at(slot, UNITS_MAX);
        let above = match cmp {
            Cmp::Gt | Cmp::Ge => !falling,
            Cmp::Lt | Cmp::Le => falling,
            Cmp::Eq | Cmp::Ne => return None,
        };
        let scale = self.suite.scale();
        let guess = self.guess(slot, level) * scale.per_rupee();
        // A flat bar at zero is as good as any to see whether the slot has a value at all.
        if self.value_at(slot, 0).is_nan() {
            return None;
        }
        Some(match *level {
            LevelSpec::CloseVsSlot { .. } => settle(guess, tick, above, |units| {
                cmp.holds(scale.rupees(units), self.value_at(slot, units))
            }),
            LevelSpec::SlotVsValue { value, .. } => settle(guess, tick, above, |units| {
                cmp.holds(self.value_at(slot, units), value)
            }),
        })
    }

    /// About where the comparison turns, rupees; the exact predicate decides.
    fn guess(&self, slot: Slot, level: &LevelSpec) -> f64 {
        let value = match level {
            LevelSpec::CloseVsSlot { .. } => f64::NAN,
            LevelSpec::SlotVsValue { value, .. } => *value,
        };
        let state = self.suite.state();
        match (level, slot.0) {
            (LevelSpec::SlotVsValue { .. }, fixed::RSI) => {
                rsi_guess(state, self.suite.constants(), value)
            }
            (LevelSpec::SlotVsValue { .. }, fixed::ROC) => {
                roc_guess(state.roc_base, value) / self.suite.scale().per_rupee()
            }
            (LevelSpec::SlotVsValue { .. }, fixed::CLOSE) => value,
            // An average moves with the close; starting from its own value is near enough for the
            // search.
            _ => self.value_at(slot, self.suite.last_close()),
        }
    }

    /// The slot's value while a bar forms whose close is `units`; only for slots that depend on
    /// nothing else.
    fn value_at(&self, slot: Slot, units: i64) -> f64 {
        let at = slot.at();
        if let Some(history) = self.histories.iter().find(|history| history.target == at) {
            return history.forming();
        }
        let holder = |placed: &&Placed| (placed.first..placed.first + placed.outputs).contains(&at);
        if let Some(placed) = self.extras.iter().find(holder) {
            let outputs = placed
                .extra
                .peek(&self.suite.scale().prices(Ohlc::flat(units)));
            return outputs
                .get(at.wrapping_sub(placed.first))
                .copied()
                .unwrap_or(f64::NAN);
        }
        let [upper, lower] = self.suite.state().channel;
        match slot.0 {
            fixed::CLOSE => self.suite.scale().rupees(units),
            fixed::DC_UPPER => upper,
            fixed::DC_LOWER => lower,
            fixed::RSI => self.suite.at_close(units).rsi,
            fixed::EMA_SLOW => self.suite.at_close(units).ema[0],
            fixed::EMA_FAST => self.suite.at_close(units).ema[1],
            fixed::ER_DIR => self.suite.at_close(units).er.signed,
            fixed::ROC => self.suite.at_close(units).roc,
            _ => f64::NAN,
        }
    }

    /// Forgets what is kept of a forming bar; to be called after the words of another bank were put in.
    pub fn forget_forming(&mut self) {
        self.suite.forget_forming();
    }

    #[inline]
    fn write_bar(&mut self, bar: &Ohlc, volume: u64) {
        let scale = self.suite.scale();
        let uses_range = self.uses_range;
        if let Some([open, high, low, close, traded]) = self.slots.first_chunk_mut() {
            // Each is a division; only the close is in every strategy.
            if uses_range {
                *open = scale.rupees(bar.open());
                *high = scale.rupees(bar.high());
                *low = scale.rupees(bar.low());
            }
            *close = scale.rupees(bar.close());
            *traded = volume as f64;
        }
    }
}

words_of!(Bank: suite, slots, committed, extras, histories);

impl Words for Placed {
    fn words(&mut self, visitor: &mut impl Visitor) {
        self.extra.words(visitor);
    }
}

#[inline]
fn write_values(slots: &mut [f64], values: &Values) {
    if let Some((_, places)) = slots.split_first_chunk_mut::<5>()
        && let Some(places) = places.first_chunk_mut()
    {
        *places = values.readings();
    }
}

#[inline]
fn write_outputs(slots: &mut [f64], placed: &Placed, outputs: Outputs) {
    let end = placed.first.wrapping_add(placed.outputs);
    if let Some(places) = slots.get_mut(placed.first..end) {
        for (place, output) in places.iter_mut().zip(outputs) {
            *place = output;
        }
    }
}
