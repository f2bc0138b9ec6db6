//! What the expressions of one or several strategies need of one instrument and timeframe.
//!
//! A plan hands out [`Slot`]s. The first request for each of the suite's indicators sets the
//! suite's parameter (two EMAs fit); a further one with other parameters becomes a separate
//! indicator, and `[k]` becomes a ring behind a slot, except for the Donchian channel, whose `[1]`
//! is the suite's own. Slots 0 to 19 are the suite's, so that it writes its readings where they are
//! read.

use super::extra::{Kind, from_milli};
use super::params::Params;
use super::series::Series;

/// A place in [`super::bank::Bank::slots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

impl Slot {
    /// The slot as a position.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Slots of the bar and of the suite's readings; -DI (11) and the SuperTrend direction (16) follow
/// their neighbours.
pub(crate) mod fixed {
    pub(crate) const OPEN: u16 = 0;
    pub(crate) const HIGH: u16 = 1;
    pub(crate) const LOW: u16 = 2;
    pub(crate) const CLOSE: u16 = 3;
    pub(crate) const VOLUME: u16 = 4;
    pub(crate) const RSI: u16 = 5;
    pub(crate) const EMA_SLOW: u16 = 6;
    pub(crate) const EMA_FAST: u16 = 7;
    pub(crate) const DC_UPPER: u16 = 8;
    pub(crate) const DC_LOWER: u16 = 9;
    pub(crate) const PLUS_DI: u16 = 10;
    pub(crate) const ADX: u16 = 12;
    pub(crate) const ER: u16 = 13;
    pub(crate) const ER_DIR: u16 = 14;
    pub(crate) const ST: u16 = 15;
    pub(crate) const ATR: u16 = 17;
    pub(crate) const ROC: u16 = 18;
    pub(crate) const DOJI: u16 = 19;
    pub(crate) const COUNT: u16 = 20;
}

/// How a slot behaves while a bar forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Stands still.
    Constant,
    /// The close itself.
    Close,
    /// An average of the close: follows it, slower than it moves.
    Average,
    /// Only rises with the close.
    Rising,
    /// Only rises with the close, or only falls: the sign of an older close says which.
    Turning,
    /// Anything else.
    Free,
}

/// Which parameters of the suite somebody asked for.
#[derive(Clone, Debug, Default)]
struct Claims {
    rsi: Option<u16>,
    ema: [Option<u16>; 2],
    donchian: Option<u16>,
    di: Option<u16>,
    adx: Option<u16>,
    er: Option<u16>,
    supertrend: Option<(u16, u32)>,
    atr: Option<u16>,
    roc: Option<u16>,
    doji: Option<(u32, bool)>,
}

/// True when the parameter is free, and then takes it, or is already this one.
fn claim<T: PartialEq + Copy>(claimed: &mut Option<T>, wanted: T) -> bool {
    *claimed.get_or_insert(wanted) == wanted
}

/// A separate indicator and its first slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExtraPlan {
    pub(crate) kind: Kind,
    pub(crate) first: u16,
}

/// A slot that shows another one `back` bars ago.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistoryPlan {
    pub(crate) source: u16,
    pub(crate) target: u16,
    pub(crate) back: u16,
}

/// What one strategy's (or several strategies') expressions need of one instrument and timeframe.
#[derive(Clone, Debug)]
pub struct BankPlan {
    claims: Claims,
    pub(crate) extras: Vec<ExtraPlan>,
    pub(crate) histories: Vec<HistoryPlan>,
    shapes: Vec<Shape>,
    bars_needed: usize,
    uses_suite: bool,
    uses_range: bool,
}

impl Default for BankPlan {
    fn default() -> Self {
        Self::new()
    }
}

impl BankPlan {
    /// A plan nobody asked anything of.
    pub fn new() -> Self {
        let mut shapes = vec![Shape::Free; usize::from(fixed::COUNT)];
        let known = [
            (fixed::CLOSE, Shape::Close),
            (fixed::RSI, Shape::Rising),
            (fixed::EMA_SLOW, Shape::Average),
            (fixed::EMA_FAST, Shape::Average),
            (fixed::DC_UPPER, Shape::Constant),
            (fixed::DC_LOWER, Shape::Constant),
            (fixed::ER_DIR, Shape::Rising),
            (fixed::ROC, Shape::Turning),
        ];
        for (slot, shape) in known {
            if let Some(place) = shapes.get_mut(usize::from(slot)) {
                *place = shape;
            }
        }
        Self {
            claims: Claims::default(),
            extras: Vec::new(),
            histories: Vec::new(),
            shapes,
            bars_needed: 0,
            uses_suite: false,
            uses_range: false,
        }
    }

    /// The slot of a series `back` bars ago; the same slot for the same question.
    pub fn slot(&mut self, series: Series, back: u16) -> Slot {
        let needed = series.bars_needed().saturating_add(usize::from(back));
        self.bars_needed = self.bars_needed.max(needed);
        let (source, back) = match (series, back.checked_sub(1)) {
            (Series::DonchianUpper { n }, Some(back)) => (self.prior(n, 0), back),
            (Series::DonchianLower { n }, Some(back)) => (self.prior(n, 1), back),
            _ => (self.current(series), back),
        };
        if back == 0 {
            Slot(source)
        } else {
            Slot(self.history(source, back))
        }
    }

    /// Bars until every slot asked for is ready, on a market that moves.
    pub fn bars_needed(&self) -> usize {
        self.bars_needed
    }

    /// Number of slots, asked for or not: the length of [`super::bank::Bank::slots`].
    pub fn slots(&self) -> usize {
        self.shapes.len()
    }

    pub(crate) fn shape(&self, slot: Slot) -> Shape {
        self.shapes.get(slot.at()).copied().unwrap_or(Shape::Free)
    }

    /// True when one of the suite's readings was asked for.
    pub(crate) const fn uses_suite(&self) -> bool {
        self.uses_suite
    }

    /// True when the bar's open, high or low was asked for.
    pub(crate) const fn uses_range(&self) -> bool {
        self.uses_range
    }

    /// The suite's parameters. What nobody asked for has length 1, so that it is ready at once.
    pub(crate) fn params(&self) -> Params {
        let claims = &self.claims;
        let (supertrend, multiplier_milli) = claims.supertrend.unwrap_or((1, 1_000));
        let (ratio_milli, doji_strict) = claims.doji.unwrap_or((100, false));
        Params {
            rsi: claims.rsi.unwrap_or(1),
            ema_slow: claims.ema[0].unwrap_or(1),
            ema_fast: claims.ema[1].unwrap_or(1),
            donchian: claims.donchian.unwrap_or(1),
            di: claims.di.unwrap_or(1),
            adx: claims.adx.unwrap_or(1),
            er: claims.er.unwrap_or(1),
            supertrend,
            multiplier: from_milli(multiplier_milli),
            atr: claims.atr.unwrap_or(1),
            roc: claims.roc.unwrap_or(1),
            doji: from_milli(ratio_milli),
            doji_strict,
        }
    }

    fn suite(&mut self, slot: u16) -> u16 {
        self.uses_suite = true;
        slot
    }

    /// Upper (0) or lower (1) channel of the n bars before the current one.
    fn prior(&mut self, n: u16, side: u16) -> u16 {
        if claim(&mut self.claims.donchian, n.max(1)) {
            return self.suite(fixed::DC_UPPER + side);
        }
        self.extra(Kind::Prior { n: n.max(1) }, Shape::Constant) + side
    }

    fn current(&mut self, series: Series) -> u16 {
        self.uses_range |= matches!(series, Series::Open | Series::High | Series::Low);
        let claims = &mut self.claims;
        match series {
            Series::Open => fixed::OPEN,
            Series::High => fixed::HIGH,
            Series::Low => fixed::LOW,
            Series::Close => fixed::CLOSE,
            Series::Volume => fixed::VOLUME,
            Series::Rsi { n } => {
                let n = n.max(1);
                if claim(&mut claims.rsi, n) {
                    return self.suite(fixed::RSI);
                }
                self.extra(Kind::Rsi { n }, Shape::Rising)
            }
            Series::Ema { n } => {
                let n = n.max(1);
                if claim(&mut claims.ema[0], n) {
                    return self.suite(fixed::EMA_SLOW);
                }
                if claim(&mut claims.ema[1], n) {
                    return self.suite(fixed::EMA_FAST);
                }
                self.extra(Kind::Ema { n }, Shape::Average)
            }
            Series::DonchianUpper { n } => self.extra(Kind::Channel { n: n.max(1) }, Shape::Free),
            Series::DonchianLower { n } => {
                self.extra(Kind::Channel { n: n.max(1) }, Shape::Free) + 1
            }
            Series::PlusDi { n } => self.directional(n.max(1), 0),
            Series::MinusDi { n } => self.directional(n.max(1), 1),
            Series::Adx { di, adx } => self.index(di.max(1), adx.max(1)),
            Series::Er { n } => self.efficiency(n.max(1), 0),
            Series::ErDir { n } => self.efficiency(n.max(1), 1),
            Series::SuperTrend {
                n,
                multiplier_milli,
            } => self.trend(n.max(1), multiplier_milli, 0),
            Series::SuperTrendDir {
                n,
                multiplier_milli,
            } => self.trend(n.max(1), multiplier_milli, 1),
            Series::Atr { n } => {
                let n = n.max(1);
                if claim(&mut claims.atr, n) {
                    return self.suite(fixed::ATR);
                }
                self.extra(Kind::Atr { n }, Shape::Free)
            }
            Series::Roc { n } => {
                let n = n.max(1);
                if claim(&mut claims.roc, n) {
                    return self.suite(fixed::ROC);
                }
                self.extra(Kind::Roc { n }, Shape::Turning)
            }
            Series::Doji {
                ratio_milli,
                strict,
            } => {
                if claim(&mut claims.doji, (ratio_milli, strict)) {
                    return self.suite(fixed::DOJI);
                }
                self.extra(
                    Kind::Doji {
                        ratio_milli,
                        strict,
                    },
                    Shape::Free,
                )
            }
        }
    }

    fn directional(&mut self, n: u16, output: u16) -> u16 {
        if claim(&mut self.claims.di, n) {
            return self.suite(fixed::PLUS_DI + output);
        }
        let of_any_index = self
            .extras
            .iter()
            .find(|e| matches!(e.kind, Kind::Dmi { di, .. } if di == n));
        let first = of_any_index.map(|extra| extra.first);
        first.unwrap_or_else(|| self.extra(Kind::Dmi { di: n, adx: n }, Shape::Free)) + output
    }

    fn index(&mut self, di: u16, adx: u16) -> u16 {
        let di_fits = self.claims.di.is_none_or(|claimed| claimed == di);
        if di_fits && claim(&mut self.claims.adx, adx) {
            self.claims.di = Some(di);
            return self.suite(fixed::ADX);
        }
        self.extra(Kind::Dmi { di, adx }, Shape::Free) + 2
    }

    fn efficiency(&mut self, n: u16, output: u16) -> u16 {
        if claim(&mut self.claims.er, n) {
            return self.suite(fixed::ER + output);
        }
        let first = self.extra(Kind::Er { n }, Shape::Free);
        if let Some(signed) = self.shapes.get_mut(usize::from(first) + 1) {
            *signed = Shape::Rising;
        }
        first + output
    }

    fn trend(&mut self, n: u16, multiplier_milli: u32, output: u16) -> u16 {
        if claim(&mut self.claims.supertrend, (n, multiplier_milli)) {
            return self.suite(fixed::ST + output);
        }
        self.extra(
            Kind::SuperTrend {
                n,
                multiplier_milli,
            },
            Shape::Free,
        ) + output
    }

    /// First slot of a separate indicator.
    fn extra(&mut self, kind: Kind, shape: Shape) -> u16 {
        if let Some(known) = self.extras.iter().find(|extra| extra.kind == kind) {
            return known.first;
        }
        let first = self.next_slot();
        self.extras.push(ExtraPlan { kind, first });
        for _ in 0..kind.outputs() {
            self.shapes.push(shape);
        }
        first
    }

    fn history(&mut self, source: u16, back: u16) -> u16 {
        let same = |history: &&HistoryPlan| history.source == source && history.back == back;
        if let Some(known) = self.histories.iter().find(same) {
            return known.target;
        }
        let target = self.next_slot();
        self.histories.push(HistoryPlan {
            source,
            target,
            back,
        });
        self.shapes.push(Shape::Constant);
        target
    }

    fn next_slot(&self) -> u16 {
        u16::try_from(self.shapes.len()).unwrap_or(u16::MAX)
    }
}
