//! The separate indicators behind slots that do not fit into the suite, and the history behind
//! `[k]`.

use super::atr::Atr;
use super::dmi::{Dmi, DmiValues};
use super::doji::Doji;
use super::donchian::Donchian;
use super::er::{Efficiency, Er};
use super::input::Prices;
use super::roc::Roc;
use super::rsi::Rsi;
use super::smoother::{Ema, larger, smaller};
use super::words::{Visitor, Words, words_of};
use crate::indicators::supertrend::{SuperTrend, Trend};

/// Which indicator, with its parameters; it fills as many neighbouring slots as it has outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsi {
        n: u16,
    },
    Ema {
        n: u16,
    },
    /// Upper and lower, the current bar included.
    Channel {
        n: u16,
    },
    /// Upper and lower of the bars before the current one.
    Prior {
        n: u16,
    },
    /// +DI, -DI, ADX.
    Dmi {
        di: u16,
        adx: u16,
    },
    /// Absolute, signed.
    Er {
        n: u16,
    },
    /// Line, direction.
    SuperTrend {
        n: u16,
        multiplier_milli: u32,
    },
    Atr {
        n: u16,
    },
    Roc {
        n: u16,
    },
    Doji {
        ratio_milli: u32,
        strict: bool,
    },
}

/// Thousandths as a number; exact decimals such as 0.1 and 1.5 come out as their nearest double.
pub(crate) fn from_milli(milli: u32) -> f64 {
    f64::from(milli) / 1_000.0
}

/// An indicator without a ring, and itself before the last commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<T> {
    now: T,
    before: T,
}

impl<T: Copy> Kept<T> {
    fn new(now: T) -> Self {
        Self { now, before: now }
    }

    fn keep(&mut self) -> &mut T {
        self.before = self.now;
        &mut self.now
    }
}

/// One indicator on its own.
#[derive(Clone, Debug)]
pub(crate) enum Extra {
    Rsi(Kept<Rsi>),
    Ema(Kept<Ema>),
    /// Of one bar less than its length: the current bar is the last.
    Channel(Donchian),
    Prior(Donchian),
    /// Boxed: it is the largest by far.
    Dmi(Box<Kept<Dmi>>),
    Er(Er),
    SuperTrend(Kept<SuperTrend>),
    Atr(Kept<Atr>),
    Roc(Roc),
    Doji(Doji),
}

/// Values of one indicator; what it does not have is NaN.
pub(crate) type Outputs = [f64; 3];

impl Extra {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Rsi { n } => Self::Rsi(Kept::new(Rsi::new(n))),
            Kind::Ema { n } => Self::Ema(Kept::new(Ema::new(n))),
            Kind::Channel { n } => Self::Channel(Donchian::new(n.saturating_sub(1))),
            Kind::Prior { n } => Self::Prior(Donchian::new(n.max(1))),
            Kind::Dmi { di, adx } => Self::Dmi(Box::new(Kept::new(Dmi::new(di, adx)))),
            Kind::Er { n } => Self::Er(Er::new(n)),
            Kind::SuperTrend {
                n,
                multiplier_milli,
            } => Self::SuperTrend(Kept::new(SuperTrend::new(n, from_milli(multiplier_milli)))),
            Kind::Atr { n } => Self::Atr(Kept::new(Atr::new(n))),
            Kind::Roc { n } => Self::Roc(Roc::new(n)),
            Kind::Doji {
                ratio_milli,
                strict,
            } => Self::Doji(Doji::new(from_milli(ratio_milli), strict)),
        }
    }

    pub(crate) fn commit(&mut self, prices: &Prices) -> Outputs {
        match self {
            Self::Rsi(rsi) => one(rsi.keep().commit(prices)),
            Self::Ema(ema) => one(ema.keep().commit(prices.close)),
            Self::Channel(donchian) | Self::Prior(donchian) => {
                let before = donchian.channel();
                donchian.commit(prices.high, prices.low);
                if let Self::Channel(_) = self {
                    including(before, prices)
                } else {
                    two(before)
                }
            }
            Self::Dmi(dmi) => three(dmi.keep().commit(prices)),
            Self::Er(er) => both(er.commit(&prices.units)),
            Self::SuperTrend(trend) => line(trend.keep().commit(prices)),
            Self::Atr(atr) => one(atr.keep().commit(prices)),
            Self::Roc(roc) => one(roc.commit(&prices.units)),
            Self::Doji(_) => self.peek(prices),
        }
    }

    pub(crate) fn peek(&self, prices: &Prices) -> Outputs {
        match self {
            Self::Rsi(rsi) => one(rsi.now.peek(prices)),
            Self::Ema(ema) => one(ema.now.peek(prices.close)),
            Self::Channel(donchian) => including(donchian.channel(), prices),
            Self::Prior(donchian) => two(donchian.channel()),
            Self::Dmi(dmi) => three(dmi.now.peek(prices)),
            Self::Er(er) => both(er.peek(&prices.units)),
            Self::SuperTrend(trend) => line(trend.now.peek(prices)),
            Self::Atr(atr) => one(atr.now.peek(prices)),
            Self::Roc(roc) => one(roc.peek(&prices.units)),
            Self::Doji(doji) => one(f64::from(u8::from(doji.is_doji(&prices.units)))),
        }
    }

    /// Takes the last commit back; once between two commits.
    pub(crate) fn undo(&mut self) {
        match self {
            Self::Rsi(rsi) => rsi.now = rsi.before,
            Self::Ema(ema) => ema.now = ema.before,
            Self::Channel(donchian) | Self::Prior(donchian) => donchian.undo(),
            Self::Dmi(dmi) => dmi.now = dmi.before,
            Self::Er(er) => er.undo(),
            Self::SuperTrend(trend) => trend.now = trend.before,
            Self::Atr(atr) => atr.now = atr.before,
            Self::Roc(roc) => roc.undo(),
            Self::Doji(_) => {}
        }
    }
}

impl<T: Words> Words for Kept<T> {
    fn words(&mut self, visitor: &mut impl Visitor) {
        self.now.words(visitor);
        self.before.words(visitor);
    }
}

impl Words for Extra {
    fn words(&mut self, visitor: &mut impl Visitor) {
        match self {
            Self::Rsi(rsi) => rsi.words(visitor),
            Self::Ema(ema) => ema.words(visitor),
            Self::Channel(donchian) | Self::Prior(donchian) => donchian.words(visitor),
            Self::Dmi(dmi) => dmi.words(visitor),
            Self::Er(er) => er.words(visitor),
            Self::SuperTrend(trend) => trend.words(visitor),
            Self::Atr(atr) => atr.words(visitor),
            Self::Roc(roc) => roc.words(visitor),
            Self::Doji(_) => {}
        }
    }
}

fn one(value: f64) -> Outputs {
    [value, f64::NAN, f64::NAN]
}

fn two([upper, lower]: [f64; 2]) -> Outputs {
    [upper, lower, f64::NAN]
}

fn including([upper, lower]: [f64; 2], prices: &Prices) -> Outputs {
    if upper.is_nan() {
        return [f64::NAN; 3];
    }
    two([larger(upper, prices.high), smaller(lower, prices.low)])
}

fn three(dmi: DmiValues) -> Outputs {
    [dmi.plus_di, dmi.minus_di, dmi.adx]
}

fn both(er: Efficiency) -> Outputs {
    two([er.ratio, er.signed])
}

fn line(trend: Trend) -> Outputs {
    two([trend.line, trend.direction])
}

impl Kind {
    /// How many slots it fills.
    pub(crate) const fn outputs(self) -> u16 {
        match self {
            Self::Rsi { .. }
            | Self::Ema { .. }
            | Self::Atr { .. }
            | Self::Roc { .. }
            | Self::Doji { .. } => 1,
            Self::Channel { .. }
            | Self::Prior { .. }
            | Self::Er { .. }
            | Self::SuperTrend { .. } => 2,
            Self::Dmi { .. } => 3,
        }
    }
}

/// The values of another slot, some bars ago.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) source: usize,
    pub(crate) target: usize,
    ring: Box<[f64]>,
    at: usize,
    evicted: f64,
}

impl History {
    /// `back` bars of the slot `source`, shown in the slot `target`; at least one.
    pub(crate) fn new(source: u16, target: u16, back: u16) -> Self {
        Self {
            source: usize::from(source),
            target: usize::from(target),
            ring: vec![f64::NAN; usize::from(back.max(1))].into_boxed_slice(),
            at: 0,
            evicted: f64::NAN,
        }
    }

    /// Adds the value of a closed bar and returns the one `back` bars before it.
    pub(crate) fn commit(&mut self, value: f64) -> f64 {
        if let Some(slot) = self.ring.get_mut(self.at) {
            self.evicted = std::mem::replace(slot, value);
        }
        let next = self.at.wrapping_add(1);
        self.at = if next >= self.ring.len() { 0 } else { next };
        self.evicted
    }

    /// The value `back` bars before the forming bar.
    #[inline]
    pub(crate) fn forming(&self) -> f64 {
        self.ring.get(self.at).copied().unwrap_or(f64::NAN)
    }

    /// Takes the last commit back; once between two commits.
    pub(crate) fn undo(&mut self) {
        self.at = self
            .at
            .checked_sub(1)
            .unwrap_or(self.ring.len().wrapping_sub(1));
        if let Some(slot) = self.ring.get_mut(self.at) {
            *slot = self.evicted;
        }
    }
}

words_of!(History: ring, at, evicted);
