//! A configured strategy and files to a finished [`Outcome`].

use super::outcome::Outcome;
use super::paper::{Deal, FillAt, Paper, Terms};
use super::runner::{Bounds, Compiled, Runner, Sessions};
use super::sources::{Loaded, Shape, SourceError, load};
use super::statistics::Statistics;
use super::{play, rupees};
use crate::config::{
    Charges, Config, Contract, Execution, InstrumentRef, LegsConfig, StrategyConfig,
};
use crate::indicators::bars::Timeframe;
use crate::model::time::DAY;
use crate::model::{Bar, Day, Exchange, Kind, Lots, Money, Price, Qty, Side};
use crate::rules::strategy::Evaluate;
use std::cell::Cell;
use std::path::PathBuf;

/// What to test, as asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Price files in order of time.
    pub files: Vec<PathBuf>,
    /// Strategy by name; the first one of the configuration without.
    pub strategy: Option<String>,
    /// Which of its instruments the files are prices of; the first one without.
    pub instrument: Option<String>,
    /// Whose prices the files are, when not the configured instrument's: its name gives lot, tick
    /// and exchange.
    pub underlying: Option<String>,
    /// Another bar length than the configured one.
    pub timeframe: Option<Timeframe>,
    /// Other lots than the configured ones.
    pub lots: Option<Lots>,
    /// Units of one lot, for what the market rules have no lot of.
    pub lot: Option<Qty>,
    /// Ticks every order fills worse, on each leg.
    pub slippage_ticks: u32,
    /// When decisions are filled.
    pub fill_at: FillAt,
    /// True to decide only when the live engine could trade: no entry in the configured time before
    /// the close, nothing at the close itself.
    pub within_session: bool,
}

/// Why nothing was tested.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The request does not fit the configuration.
    #[error("{0}")]
    Request(String),
    /// The files cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Everything chosen before the first price is read.
struct Chosen<'a> {
    config: &'a Config,
    strategy: &'a StrategyConfig,
    instrument: &'a InstrumentRef,
    underlying: Option<&'a str>,
    timeframe: Timeframe,
    side: Side,
    /// Legs that fill, and slip, for one order.
    legs: i64,
}

impl<'a> Chosen<'a> {
    fn new(config: &'a Config, request: &'a Request) -> Result<Self, SetupError> {
        let strategy = pick(
            &config.strategies,
            request.strategy.as_deref(),
            "strategy",
            |s| s.name.clone(),
        )?;
        let instruments = &strategy.instruments;
        let instrument = pick(
            instruments,
            request.instrument.as_deref(),
            "instrument",
            ToString::to_string,
        )?;
        let (side, legs) = match strategy.trade.legs {
            LegsConfig::Outright { side } => (side, 1),
            LegsConfig::Options { call, put } if call.side != put.side => (call.side, 2),
            LegsConfig::Options { call, .. } => {
                let both = if call.side == Side::Buy {
                    "bought"
                } else {
                    "sold"
                };
                return Err(SetupError::Request(format!(
                    "strategy {}: CALL and PUT are both {both}; their profit depends on option \
                     prices, which a file of the underlying's prices does not have. A CALL \
                     against a PUT can be tested: it moves like a future",
                    strategy.name
                )));
            }
        };
        let named = request.underlying.as_deref();
        if let Some(name) = named.filter(|name| !config.market.underlyings().any(|u| u == *name)) {
            let known: Vec<&str> = config.market.underlyings().collect();
            let known = known.join(", ");
            return Err(SetupError::Request(format!(
                "no underlying {name:?} in the market rules; there is {known}"
            )));
        }
        Ok(Self {
            config,
            strategy,
            instrument,
            underlying: named
                .or(strategy.trade.underlying.as_deref())
                .or(instrument.underlying()),
            timeframe: request.timeframe.unwrap_or(strategy.timeframe),
            side,
            legs,
        })
    }

    fn contract(&self, day: Day) -> Option<Contract> {
        self.config.market.contract(self.underlying?, day)
    }

    /// Segment whose sessions anchor the bars: that of an index, or of its contracts.
    fn exchange(&self) -> Exchange {
        let traded = self
            .contract(Day::default())
            .map_or(Exchange::Nfo, |c| c.exchange);
        match (self.instrument, traded) {
            (InstrumentRef::Index { .. }, Exchange::Nfo) => Exchange::Nse,
            (InstrumentRef::Index { .. }, Exchange::Bfo) => Exchange::Bse,
            _ => traded,
        }
    }

    fn traded(&self) -> String {
        let name = self
            .underlying
            .map_or_else(|| self.instrument.to_string(), str::to_owned);
        match self.strategy.trade.legs {
            LegsConfig::Outright { .. } => format!("{name}, outright"),
            LegsConfig::Options { call, put } => {
                let (call, put) = (
                    (call.side, call.strike_text()),
                    (put.side, put.strike_text()),
                );
                let verb = |side: Side| if side == Side::Buy { "buy" } else { "sell" };
                format!(
                    "{name}, {} CALL {} and {} PUT {}: a synthetic future",
                    verb(call.0),
                    call.1,
                    verb(put.0),
                    put.1
                )
            }
        }
    }
}

/// The item of a name, or the first one; an error lists what there is.
fn pick<'a, T>(
    items: &'a [T],
    wanted: Option<&str>,
    what: &str,
    name: impl Fn(&T) -> String,
) -> Result<&'a T, SetupError> {
    let found = match wanted {
        Some(wanted) => items.iter().find(|item| name(item) == wanted),
        None => items.first(),
    };
    found.ok_or_else(|| {
        let names: Vec<String> = items.iter().map(name).collect();
        let wanted = wanted.unwrap_or("");
        SetupError::Request(format!(
            "no {what} {wanted:?}; there is {}",
            names.join(", ")
        ))
    })
}

/// Prices read for a request, ready to be played.
pub struct Prepared<'a> {
    chosen: Chosen<'a>,
    request: &'a Request,
    /// The bars with an account of what is not in them.
    pub loaded: Loaded,
    terms: Terms,
    lot: Qty,
}

/// Reads the files and works out what one order is.
///
/// # Errors
///
/// [`SetupError`] when a name is not in the configuration, a file cannot be used, or there is no
/// lot size.
pub fn prepare<'a>(config: &'a Config, request: &'a Request) -> Result<Prepared<'a>, SetupError> {
    let chosen = Chosen::new(config, request)?;
    let shape = Shape {
        market: &config.market,
        exchange: chosen.exchange(),
        timeframe: chosen.timeframe,
        short: config.bars.short,
        keep_rows: chosen.strategy.strategy.evaluate != Evaluate::BarClose,
    };
    let loaded = load(&request.files, &shape)?;
    let last_day = loaded
        .bars
        .last()
        .map_or(Day::default(), |bar| bar.start.day());
    let contract = chosen.contract(last_day);
    let lot = request
        .lot
        .or(contract.as_ref().map(|c| c.lot))
        .ok_or_else(|| {
            SetupError::Request(format!(
                "the market rules have no lot of {}; name the units of one lot with --lot",
                chosen.instrument
            ))
        })?;
    let lots = request.lots.unwrap_or(chosen.strategy.trade.lots);
    let qty = lots
        .units(lot)
        .filter(|qty| *qty != Qty::ZERO)
        .ok_or_else(|| {
            SetupError::Request(format!(
                "{lots} lots of {lot} units are not a quantity that can be traded"
            ))
        })?;
    let tick = contract.map_or(Price::from_paise(5), |c| match chosen.legs {
        1 => c.future_tick,
        _ => c.option_tick,
    });
    let slippage = Price(tick.0 * i64::from(request.slippage_ticks) * chosen.legs);
    let terms = Terms {
        entry: chosen.side,
        qty,
        slippage,
        fill_at: request.fill_at,
    };
    Ok(Prepared {
        chosen,
        request,
        loaded,
        terms,
        lot,
    })
}

impl Prepared<'_> {
    /// Bounds of the run.
    fn bounds(&self) -> Bounds {
        Bounds {
            pyramids_max: self.chosen.strategy.trade.pyramid_max,
            eod_window_ns: self.chosen.strategy.eod_window_ns,
            cutoff_ns: self
                .request
                .within_session
                .then_some(self.chosen.config.limits.entry_cutoff_ns),
        }
    }

    /// Plays the prices through the strategy.
    pub fn play(self) -> Outcome {
        let config = self.chosen.config;
        let strategy = self.chosen.strategy;
        let compiled = Compiled {
            strategy: strategy.strategy.clone(),
            bank: strategy.bank.clone(),
            levels: strategy.levels.clone(),
        };
        let sessions = Sessions {
            market: &config.market,
            exchange: self.chosen.exchange(),
        };
        let bars = &self.loaded.bars;
        let dated = if self.loaded.has_time {
            bars.as_slice()
        } else {
            &[]
        };
        let days = dated.iter().map(|bar| bar.start.day());
        let mut runner = Runner::new(&compiled, self.bounds(), &sessions, days);
        let traded = self
            .chosen
            .contract(Day::default())
            .map_or(Exchange::Nfo, |c| c.exchange);
        let approximate = Cell::new(false);
        let charge = charge(&config.charges, traded, &approximate);
        let mut paper = Paper::new(self.terms, charge, bars.len());
        let warm_up = if runner.wants_ticks() {
            play::steps(&self.loaded.steps, &mut paper, &mut runner)
        } else {
            play::bars(bars, &mut paper, &mut runner)
        };
        let (equity, trades, marks, held) =
            (paper.equity, paper.trades, paper.marks, paper.bars_held);
        let evaluated = bars.len().saturating_sub(warm_up);
        let statistics = Statistics::new(bars, &equity, &trades, held, evaluated);
        Outcome {
            strategy: strategy.name.clone(),
            instrument: self
                .request
                .underlying
                .clone()
                .unwrap_or(self.chosen.instrument.to_string()),
            traded: self.chosen.traded(),
            timeframe: self.timeframe(),
            side: self.terms.entry,
            qty: self.terms.qty,
            warm_up,
            equity,
            trades,
            marks,
            statistics,
            parameters: self.parameters(),
            data: self.data(),
            assumptions: self.assumptions(approximate.get()),
            has_time: self.loaded.has_time,
            bars: self.loaded.bars,
        }
    }

    fn timeframe(&self) -> String {
        if self.loaded.has_time {
            self.chosen.timeframe.to_string()
        } else {
            "the file's own".to_owned()
        }
    }

    fn parameters(&self) -> Vec<(String, String)> {
        let strategy = self.chosen.strategy;
        let mut rows: Vec<(String, String)> = strategy
            .strategy
            .programs()
            .map(|(name, program)| (name.to_owned(), program.text().to_owned()))
            .collect();
        let fill = match self.terms.fill_at {
            FillAt::NextOpen => "open of the next bar",
            FillAt::Close => "close of the bar decided on",
        };
        let lots = self.terms.qty.lots(self.lot).unwrap_or(Lots(0));
        let ticks = self.request.slippage_ticks;
        let plural = if ticks == 1 { "tick" } else { "ticks" };
        let slippage = format!(
            "{ticks} {plural} a leg: {} rupees an order and unit",
            self.terms.slippage
        );
        let last = self.loaded.bars.last().map(|bar: &Bar| bar.start.day());
        let lot = match (self.request.lot, last.filter(|_| self.loaded.has_time)) {
            (None, Some(day)) => format!(
                "{lots} × {} units, the lot of {day}, for the whole run",
                self.lot
            ),
            _ => format!("{lots} × {} units", self.lot),
        };
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        row("evaluated", strategy.strategy.evaluate.name().to_owned());
        row("timeframe", self.timeframe());
        row("traded", self.chosen.traded());
        row("lots", lot);
        row("additions at most", strategy.trade.pyramid_max.to_string());
        row("filled at", fill.to_owned());
        row("slippage", slippage);
        row(
            "configuration",
            self.chosen.config.file.display().to_string(),
        );
        rows
    }

    fn data(&self) -> Vec<(String, String)> {
        let loaded = &self.loaded;
        let count = |n: u64| rupees::grouped(n);
        let mut rows = vec![("files".to_owned(), loaded.origin.clone())];
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        row("rows", count(loaded.rows));
        row("bars", count(loaded.bars.len() as u64));
        if loaded.has_time {
            row(
                "sessions",
                format!(
                    "{} ({})",
                    count(u64::from(loaded.days)),
                    self.chosen.exchange()
                ),
            );
        }
        let left_out = [
            ("rows on days without a session", loaded.closed_days),
            (
                "rows outside continuous trading",
                loaded.unfolded.outside_session,
            ),
            ("late rows", loaded.unfolded.late),
            ("repeated rows", loaded.unfolded.repeated),
            ("rows in a dropped short last bar", loaded.unfolded.dropped),
            ("rows over the end of a bar", loaded.unfolded.straddles),
        ];
        for (name, number) in left_out.into_iter().filter(|(_, number)| *number > 0) {
            row(name, count(number));
        }
        if let Some(gap) = gaps(&loaded.bars).filter(|_| loaded.has_time) {
            row("remark", gap);
        }
        for remark in &loaded.remarks {
            row("remark", remark.clone());
        }
        rows
    }

    fn assumptions(&self, approximate: bool) -> Vec<String> {
        let mut all = Vec::new();
        let mut say = |sentence: &str| all.push(sentence.to_owned());
        if self.chosen.legs == 2 {
            say(
                "The legs are tested as a synthetic future: a CALL minus a PUT of one strike \
                 and expiry moves one for one with its underlying. Premiums, their spread, the \
                 cost of strikes apart and early moves of volatility are not in these figures.",
            );
            say(
                "Charges are those of one future of the same value; two option legs pay two \
                 brokerages, and taxes on premium.",
            );
        }
        say(
            "The prices of the file are taken as those of the contract: no basis, no expiry, no \
             cost of rolling to the next one.",
        );
        say(match self.terms.fill_at {
            FillAt::NextOpen => {
                "A decision at a bar's close fills whole at the next bar's open; over a night \
                 that is the next session's open, gap included."
            }
            FillAt::Close => {
                "A decision fills whole at the very close it was made on, which no order can \
                 do; use it to compare with other tools."
            }
        });
        if self.terms.fill_at == FillAt::NextOpen && !self.request.within_session {
            say(
                "The last bar of a session is decided on as well, as TradingView does; the live \
                 engine cannot trade after the close. With --within-session these decisions are \
                 left out.",
            );
        }
        say("Drawdown and equity are marked at bar closes; inside a bar they were worse.");
        if approximate {
            say(
                "Some orders are older than the first known rate of a charge and are charged by \
                 that rate.",
            );
        }
        say("One order is one execution for charges; margin and interest are not modelled.");
        all
    }
}

/// A sentence on stretches without prices, which a trade open at the time carries across.
fn gaps(bars: &[Bar]) -> Option<String> {
    const LONG: i64 = 6 * DAY;
    let gap = |pair: &[Bar]| pair[1].start.since(pair[0].end);
    let long: Vec<&[Bar]> = bars.windows(2).filter(|pair| gap(pair) > LONG).collect();
    let longest = long.iter().max_by_key(|pair| gap(pair))?;
    let plural = if long.len() == 1 { "gap" } else { "gaps" };
    Some(format!(
        "{} {plural} of more than six days, the longest after {}: readings run on, and a trade \
         open then carries the jump",
        long.len(),
        longest[0].start.day()
    ))
}

/// Charges of a future of the segment; notes when a rate was not dated.
fn charge<'a>(
    charges: &'a Charges,
    exchange: Exchange,
    approximate: &'a Cell<bool>,
) -> impl FnMut(&Deal) -> Money + 'a {
    move |deal: &Deal| {
        let charged = charges.of(&Execution {
            exchange,
            kind: Kind::Future,
            side: deal.side,
            price: deal.price,
            qty: deal.qty,
            day: deal.at.day(),
        });
        approximate.set(approximate.get() || charged.approximate);
        charged.total()
    }
}
