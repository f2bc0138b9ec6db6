//! The simulated market: every instrument's book, moved by the values of its index.
//!
//! Futures follow the index with the cost of carry, options are priced on the future of their expiry. A
//! step is a pure function of the seed, the values and the step's number, whoever watches. The one
//! exception is size: of a chain larger than [`WHOLE_CHAIN`] contracts (a tape over years), only those that
//! somebody watches are moved at each step, the others when somebody asks.

mod book;
mod chain;
mod history;
mod smile;
mod tape;
mod walk;

pub(crate) use book::{Book, Level};

use crate::config::MarketRules;
use crate::model::time::MINUTE;
use crate::model::{Bar, Day, Exchange, Instrument, InstrumentIx, Kind, Price, Session, WallNanos};
use crate::sim::dice::{Dice, Noise};
use crate::sim::settings::{Origin, Settings};
use book::Update;
use chain::{Family, Listing};
use history::{History, Seeded};
use smile::Option76;
use tape::{Drawing, Source};

/// The largest chain that is moved as a whole at every step.
const WHOLE_CHAIN: usize = 400;
/// Recorded bars kept per instrument.
const BARS_KEPT: usize = 30_000;
/// Usual at-the-money volatility a year.
const VOLATILITY: f64 = 0.15;

struct Underlying {
    family: Family,
    source: Source,
    history: History,
    /// Latest index value in rupees and its volatility relative to the usual.
    spot: f64,
    stir: f64,
}

/// All instruments, their books and what moves them.
pub(crate) struct Market {
    rules: MarketRules,
    pub(crate) rows: Vec<Instrument>,
    pub(crate) books: Vec<Book>,
    underlyings: Vec<Underlying>,
    /// Last moment of trading of each instrument.
    expires: Vec<WallNanos>,
    /// Which underlying an instrument belongs to.
    owner: Vec<usize>,
    /// Bars of the run so far.
    recorded: Vec<Vec<Bar>>,
    bar_length: i64,
    /// Instruments that must move although they are far from the money.
    watched: Vec<bool>,
    seed: u64,
    carry: f64,
    from_tape: bool,
    step: u64,
    now: WallNanos,
    first: WallNanos,
    day: Day,
    session: Option<Session>,
}

impl Market {
    /// Lists the contracts and takes the first step's values without making it.
    ///
    /// # Errors
    ///
    /// A sentence when the day has no session, the tape has no row to play or an underlying is unknown.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let mut market = Self {
            rules: settings.rules.clone(),
            expires: Vec::new(),
            rows: Vec::new(),
            books: Vec::new(),
            underlyings: Vec::new(),
            owner: Vec::new(),
            recorded: Vec::new(),
            bar_length: MINUTE,
            watched: Vec::new(),
            seed: settings.seed,
            carry: settings.carry,
            from_tape: matches!(settings.origin, Origin::Tape(_)),
            step: 0,
            now: WallNanos(0),
            first: WallNanos(0),
            day: settings.day,
            session: None,
        };
        for (number, name) in settings.underlyings.iter().enumerate() {
            market.add(settings, number, name)?;
        }
        let first = market.peek().ok_or("there is no price to play")?;
        market.first = first;
        market.now = first;
        market.day = first.day();
        market.session = market.rules.session(Exchange::Nfo, market.day);
        for (position, row) in market.rows.iter_mut().enumerate() {
            row.ix = InstrumentIx(u16::try_from(position).unwrap_or(u16::MAX));
        }
        market.previous_closes();
        Ok(market)
    }

    fn add(&mut self, settings: &Settings, number: usize, name: &str) -> Result<(), String> {
        let stream = u64::try_from(number).unwrap_or(0) + 1;
        let (source, history) = match &settings.origin {
            Origin::Seeded => {
                let session = self
                    .rules
                    .session(Exchange::Nfo, settings.day)
                    .ok_or_else(|| {
                        format!(
                            "{} has no session: it is a weekend or a holiday",
                            settings.day
                        )
                    })?;
                let daily = settings.daily_percent / 100.0;
                let mut dice = Dice::new(settings.seed, stream);
                let usual = if name == "BANKNIFTY" {
                    52_000.0
                } else {
                    24_000.0
                };
                let open = (usual * (1.0 + 0.01 * dice.normal()) * 20.0_f64).round() / 20.0;
                let source = Source::seeded(&session, open, daily, &mut dice);
                let past = Seeded::new(settings.seed, stream + 100, daily, settings.day, open);
                (source, History::Seeded(past))
            }
            Origin::Still(value) => {
                let session = self
                    .rules
                    .session(Exchange::Nfo, settings.day)
                    .ok_or_else(|| format!("{} has no session", settings.day))?;
                let source = Source::still(session.open(), *value);
                (source, History::Tape(Vec::new()))
            }
            Origin::Tape(file) => {
                self.bar_length = file.interval.max(MINUTE);
                let start = settings.from.map_or(WallNanos(i64::MIN), |day| day.at(0));
                let until = settings
                    .to
                    .map_or(WallNanos(i64::MAX), |day| day.plus(1).at(0));
                let drawing = Drawing {
                    seed: settings.seed,
                    points_per_bar: settings.points_per_bar,
                };
                let (source, past) = Source::tape(file, start, until, drawing);
                (source, History::Tape(past))
            }
        };
        let range = source
            .range()
            .ok_or("the tape has no row in the days asked for")?;
        let first = source.peek().map_or(WallNanos(0), |point| point.at);
        let last = source.last().unwrap_or(first);
        let spot = source.peek().map_or(0.0, |point| point.value.rupees());
        let around = if self.from_tape { range } else { (spot, spot) };
        let listing = Listing {
            underlying: name,
            days: (first.day(), last.day()),
            range: around,
            strikes: settings.strikes,
        };
        let before = self.rows.len();
        let family = chain::list(&mut self.rows, &self.rules, &listing).ok_or_else(|| {
            let known: Vec<&str> = self.rules.underlyings().collect();
            format!(
                "underlying {name:?} is not in the market rules; {} are",
                known.join(", ")
            )
        })?;
        let added = self.rows.len() - before;
        for row in &self.rows[before..] {
            let close = row.expiry.map_or(WallNanos(i64::MAX), |day| {
                let session = self.rules.session(row.exchange, day);
                session.map_or(day.at(930 * MINUTE), |session| session.close())
            });
            self.expires.push(close);
        }
        self.books.resize(self.rows.len(), Book::default());
        self.owner
            .extend(std::iter::repeat_n(self.underlyings.len(), added));
        self.recorded.resize(self.rows.len(), Vec::new());
        self.watched.resize(self.rows.len(), false);
        self.underlyings.push(Underlying {
            family,
            source,
            history,
            spot,
            stir: 1.0,
        });
        Ok(())
    }

    fn previous_closes(&mut self) {
        let at = self.first.offset(-17 * 60 * MINUTE);
        for number in 0..self.underlyings.len() {
            let under = &mut self.underlyings[number];
            let close = under.history.previous_close(&self.rules);
            let spot = close.map_or(under.spot, Price::rupees);
            let members = under.family.futures.iter().chain(&under.family.options);
            let members: Vec<usize> = members.copied().collect();
            self.books[under.family.index].previous = Price::from_rupees_f64(spot);
            for ix in members {
                let fair = self.fair(ix, spot, 1.0, at);
                let tick = self.rows[ix].tick;
                self.books[ix].previous = Price::from_rupees_f64(fair).floor_to(tick).max(tick);
            }
        }
    }

    /// What a contract is worth at an index value.
    fn fair(&self, ix: usize, spot: f64, stir: f64, at: WallNanos) -> f64 {
        let row = &self.rows[ix];
        let years = smile::years(self.expires[ix].since(at) as f64 / 1e9);
        let forward = spot * (1.0 + self.carry * years);
        match row.kind {
            Kind::Option { right, strike } => {
                let level = VOLATILITY * (0.75 + 0.25 * stir);
                Option76 {
                    right,
                    forward,
                    strike: strike.rupees(),
                    years,
                    level,
                }
                .value()
            }
            Kind::Future => forward,
            Kind::Index | Kind::Equity => spot,
        }
    }

    /// Moment of the next step, `None` at the end.
    pub(crate) fn peek(&self) -> Option<WallNanos> {
        self.underlyings
            .iter()
            .filter_map(|u| u.source.peek())
            .map(|point| point.at)
            .min()
    }

    /// Market time of the last step, or of the first to come.
    pub(crate) const fn now(&self) -> WallNanos {
        self.now
    }

    /// The session of the current day.
    pub(crate) const fn session(&self) -> Option<Session> {
        self.session
    }

    /// True while derivatives trade continuously.
    pub(crate) fn is_open(&self, at: WallNanos) -> bool {
        self.session
            .is_some_and(|session| session.window_at(at).is_some())
    }

    /// Number of steps made.
    pub(crate) const fn steps(&self) -> u64 {
        self.step
    }

    /// Quotes an instrument by hand: one level a side, this many units each, last price in the middle.
    pub(crate) fn quote(&mut self, ix: usize, prices: (Price, Price), qty: u32) {
        let (tick, at) = (self.rows[ix].tick, self.now);
        let book = &mut self.books[ix];
        let level = |price| Level {
            price,
            qty,
            orders: 1,
        };
        book.bids = [Level::default(); book::LEVELS];
        book.asks = [Level::default(); book::LEVELS];
        (book.bids[0], book.asks[0]) = (level(prices.0), level(prices.1));
        let middle = Price(prices.0.0.midpoint(prices.1.0)).floor_to(tick);
        book.mark(middle.max(tick), at);
    }

    /// Keeps an instrument moving.
    pub(crate) fn watch(&mut self, ix: usize) {
        if let Some(slot) = self.watched.get_mut(ix) {
            *slot = true;
        }
    }

    /// Makes the next step and names the instruments that moved. Returns false at the end.
    pub(crate) fn step(&mut self, moved: &mut Vec<usize>) -> bool {
        moved.clear();
        let Some(at) = self.peek() else { return false };
        self.now = at;
        if at.day() != self.day {
            self.day = at.day();
            self.session = self.rules.session(Exchange::Nfo, self.day);
            self.books.iter_mut().for_each(Book::turn_day);
        }
        let open = self.is_open(at);
        for number in 0..self.underlyings.len() {
            let under = &mut self.underlyings[number];
            if under.source.peek().is_none_or(|point| point.at != at) {
                continue;
            }
            let Some(point) = under.source.next() else {
                continue;
            };
            under.spot = point.value.rupees();
            under.stir = f64::from(point.stir);
            self.move_index(number, point.value, at, moved);
            if open {
                self.move_contracts(number, at, moved);
            }
        }
        self.step += 1;
        true
    }

    /// True when the seeded market skips this instrument at this step: one update a second each, the
    /// index and options in turn, the future two times in three.
    fn skips(&self, ix: usize, noise: &mut Noise) -> bool {
        if self.from_tape || self.step == 0 {
            return false;
        }
        let turn = !(self.step + ix as u64).is_multiple_of(4);
        match self.rows[ix].kind {
            Kind::Future => noise.below(100) >= 65,
            Kind::Option { .. } => turn || noise.below(100) >= 92,
            Kind::Index | Kind::Equity => !self.step.is_multiple_of(4),
        }
    }

    fn noise(&self, ix: usize) -> Noise {
        Noise::at(self.seed, u64::from(self.rows[ix].token.0), self.step)
    }

    fn move_index(&mut self, number: usize, value: Price, at: WallNanos, moved: &mut Vec<usize>) {
        let ix = self.underlyings[number].family.index;
        let mut noise = self.noise(ix);
        if !self.skips(ix, &mut noise) {
            self.books[ix].mark(value, at);
            self.record(ix);
            moved.push(ix);
        }
    }

    fn move_contracts(&mut self, number: usize, at: WallNanos, moved: &mut Vec<usize>) {
        let family = &self.underlyings[number].family;
        let whole = family.options.len() <= WHOLE_CHAIN;
        let members: Vec<usize> = family
            .futures
            .iter()
            .chain(&family.options)
            .copied()
            .collect();
        for ix in members {
            if !whole && !self.watched[ix] && !matches!(self.rows[ix].kind, Kind::Future) {
                continue;
            }
            let mut noise = self.noise(ix);
            if !self.skips(ix, &mut noise) {
                self.refresh(ix, at, &mut noise);
                self.record(ix);
                moved.push(ix);
            }
        }
    }

    fn refresh(&mut self, ix: usize, at: WallNanos, noise: &mut Noise) {
        let under = &self.underlyings[self.owner[ix]];
        let fair = self.fair(ix, under.spot, under.stir, at);
        let exact = self.from_tape && self.carry == 0.0;
        self.books[ix].trade(&self.rows[ix], Update { fair, at, exact }, noise);
    }

    /// Brings an instrument that is not moved by itself up to the last step.
    pub(crate) fn settle(&mut self, ix: usize) {
        let whole = self.underlyings[self.owner[ix]].family.options.len() <= WHOLE_CHAIN;
        let behind = !whole && !self.watched[ix] && self.books[ix].at < self.now;
        let stale = self.books[ix].updates == 0 || behind;
        if stale && self.rows[ix].is_tradable() && self.step > 0 {
            let mut noise = self.noise(ix);
            self.refresh(ix, self.now, &mut noise);
        }
    }

    fn record(&mut self, ix: usize) {
        let (at, value) = (self.books[ix].at, self.books[ix].last);
        let start = at.offset(-at.time_of_day().rem_euclid(self.bar_length));
        let bars = &mut self.recorded[ix];
        if let Some(bar) = bars.last_mut().filter(|bar| bar.start == start) {
            bar.high = bar.high.max(value);
            bar.low = bar.low.min(value);
            bar.close = value;
            bar.ticks += 1;
            bar.volume += u64::from(self.books[ix].last_qty);
            return;
        }
        if bars.len() >= BARS_KEPT {
            bars.drain(..BARS_KEPT / 2);
        }
        let volume = u64::from(self.books[ix].last_qty);
        bars.push(Bar {
            volume,
            ..history::first(start, self.bar_length, value)
        });
    }

    /// Finished bars of an instrument that start in `from..=to`; `None` interval means days.
    pub(crate) fn bars(
        &mut self,
        ix: usize,
        interval: Option<i64>,
        span: (WallNanos, WallNanos),
    ) -> Vec<Bar> {
        let (from, to) = span;
        let now = self.now;
        // Whole days are joined first, so that a bar at the edge is complete.
        let edges = (from.day().at(0), to.day().plus(1).at(0));
        let mut bars = self.underlyings[self.owner[ix]]
            .history
            .bars(&self.rules, edges.0, edges.1);
        let tick = self.rows[ix].tick;
        if self.rows[ix].is_tradable() {
            for bar in &mut bars {
                let priced = |value: Price| {
                    let fair = self.fair(ix, value.rupees(), 1.0, bar.start);
                    Price::from_rupees_f64(fair)
                        .saturating_add(Price(tick.0 / 2))
                        .floor_to(tick)
                        .max(tick)
                };
                let (high, low) = (priced(bar.high), priced(bar.low));
                (bar.open, bar.close) = (priced(bar.open), priced(bar.close));
                // A put is dearest where the index is lowest.
                bar.high = high.max(low).max(bar.open).max(bar.close);
                bar.low = high.min(low).min(bar.open).min(bar.close);
                let place = u64::try_from(bar.start.secs()).unwrap_or(0);
                let mut noise = Noise::at(self.seed, ix as u64, place);
                bar.volume = u64::from(self.rows[ix].lot.0 * (20 + noise.below(200)));
            }
        }
        let recorded = self.recorded[ix].iter();
        bars.extend(recorded.filter(|bar| edges.0 <= bar.start && bar.start <= edges.1));
        let ended = self.peek().is_none();
        history::join(&self.rules, &bars, interval)
            .into_iter()
            .filter(|bar| from <= bar.start && bar.start <= to && (bar.end <= now || ended))
            .collect()
    }

    /// Position of the instrument with a token.
    pub(crate) fn by_token(&self, token: u32) -> Option<usize> {
        self.rows.iter().position(|row| row.token.0 == token)
    }

    /// Position of the instrument with an exchange and trading symbol.
    pub(crate) fn by_symbol(&self, exchange: &str, symbol: &str) -> Option<usize> {
        self.rows
            .iter()
            .position(|row| row.symbol == symbol && row.exchange.name() == exchange)
    }

    /// Lowest and highest price the exchange accepts for an instrument now.
    ///
    /// Options: limit price protection, 40 percent of the reference above 50 rupees and 20 rupees below
    /// (market rules, section 5). Futures: the operating range of 10 percent around the previous close.
    pub(crate) fn band(&self, ix: usize) -> (Price, Price) {
        let row = &self.rows[ix];
        let book = &self.books[ix];
        let (middle, room) = match row.kind {
            Kind::Option { .. } if book.last > Price::from_rupees(50) => {
                (book.last, book.last.basis_points(4_000))
            }
            Kind::Option { .. } => (book.last, Price::from_rupees(20)),
            _ => (book.previous, book.previous.basis_points(1_000)),
        };
        let low = middle.saturating_sub(room).ceil_to(row.tick).max(row.tick);
        (low, middle.saturating_add(room).floor_to(row.tick))
    }
}
