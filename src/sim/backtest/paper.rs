//! The paper account of a backtest: decisions in, fills, trades and an equity curve out.
//!
//! ```text
//!   decision at a close ──► next open (or that close) ± slippage ──► FIFO lots ──► trade when flat
//!                                                     └─ charges
//! ```
//!
//! Promises
//! - Profit and loss is the book's ([`FifoLots`]), exact to 1/10 000 rupee; the sum of the trades
//!   is the last equity.
//! - Slippage always costs: a buy fills higher, a sell lower.
//! - A trade runs from flat to flat: an entry, what was added, and the exit that closes all of it.

use crate::book::FifoLots;
use crate::model::{Action, Bar, Money, NetQty, Price, Qty, Side, WallNanos};

/// When a decision made at a bar's close is filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FillAt {
    /// At the open of the next bar: what a trader could really get.
    #[default]
    NextOpen,
    /// At the close that was decided on: optimistic, comparable with other tools.
    Close,
}

/// What is traded and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Side of an entry: buy for a long strategy.
    pub entry: Side,
    /// Units of one entry or addition.
    pub qty: Qty,
    /// Added to a buy's and taken from a sell's price.
    pub slippage: Price,
    /// When decisions are filled.
    pub fill_at: FillAt,
}

/// One simulated execution, for charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    /// Bought or sold.
    pub side: Side,
    /// Units.
    pub qty: Qty,
    /// Price after slippage.
    pub price: Price,
    /// When.
    pub at: WallNanos,
}

/// A mark on the price chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Index of the bar it was filled in.
    pub bar: usize,
    /// Price after slippage.
    pub price: Price,
    /// Entry, addition or exit.
    pub action: Action,
}

/// How a trade ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The exit rule.
    Signal,
    /// The data ended; valued at the last close.
    Data,
}

impl End {
    /// The words shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signal => "exit",
            Self::Data => "end of data",
        }
    }
}

/// One round trip, flat to flat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Side of its entry.
    pub side: Side,
    /// Units at its largest.
    pub qty: Qty,
    /// Entry and additions.
    pub entries: u32,
    /// First fill.
    pub entered: WallNanos,
    /// Bar of the first fill.
    pub entry_bar: usize,
    /// Average price of entry and additions.
    pub entry: Price,
    /// Last fill.
    pub left: WallNanos,
    /// Bar of the last fill.
    pub exit_bar: usize,
    /// Average price it was closed at.
    pub exit: Price,
    /// Before charges.
    pub gross: Money,
    /// Of all its orders.
    pub charges: Money,
    /// Highest profit seen, at any bar's extreme or at the exit; before charges.
    pub best: Money,
    /// Lowest, likewise.
    pub worst: Money,
    /// Why it ended.
    pub end: End,
}

impl Trade {
    /// After charges.
    pub fn net(&self) -> Money {
        self.gross.saturating_sub(self.charges)
    }

    /// Bars from entry to exit.
    pub const fn bars(&self) -> usize {
        self.exit_bar.saturating_sub(self.entry_bar)
    }
}

/// The account.
#[derive(Clone, Debug)]
pub struct Paper<C> {
    terms: Terms,
    charge: C,
    lots: FifoLots,
    charges: Money,
    pending: Option<Action>,
    open: Option<Trade>,
    last_entry: Option<Price>,
    /// Finished trades in order.
    pub trades: Vec<Trade>,
    /// Every fill.
    pub marks: Vec<Mark>,
    /// Net of charges, marked at each bar's close.
    pub equity: Vec<Money>,
    /// Bars at whose close something was held.
    pub bars_held: usize,
}

impl<C: FnMut(&Deal) -> Money> Paper<C> {
    /// An empty account; `charge` returns what one execution costs.
    pub fn new(terms: Terms, charge: C, bars: usize) -> Self {
        Self {
            terms,
            charge,
            lots: FifoLots::default(),
            charges: Money::ZERO,
            pending: None,
            open: None,
            last_entry: None,
            trades: Vec::new(),
            marks: Vec::new(),
            equity: Vec::with_capacity(bars),
            bars_held: 0,
        }
    }

    /// Units held.
    pub const fn net(&self) -> NetQty {
        self.lots.net()
    }

    /// Price of the latest entry or addition of the open trade.
    pub const fn last_entry(&self) -> Option<Price> {
        self.last_entry
    }

    /// Entries and additions of the open trade.
    pub fn entries(&self) -> u32 {
        self.open.map_or(0, |trade| trade.entries)
    }

    /// Fills what was decided on the bar before at this price, the first one after that close.
    pub fn open_bar(&mut self, bar: usize, price: Price, at: WallNanos) {
        if let Some(action) = self.pending.take() {
            self.fill(action, bar, price, at);
        }
    }

    /// Takes a decision made at the close of a bar.
    pub fn decide(&mut self, action: Action, bar: usize, price: Price, at: WallNanos) {
        match self.terms.fill_at {
            FillAt::NextOpen => self.pending = Some(action),
            FillAt::Close => self.fill(action, bar, price, at),
        }
    }

    /// Remembers the open trade's extremes; comes after the bar's open and before its close is
    /// decided on.
    pub fn during(&mut self, bar: &Bar) {
        if let Some(trade) = &mut self.open {
            let (high, low) = (
                self.lots.unrealised(bar.high),
                self.lots.unrealised(bar.low),
            );
            trade.best = trade.best.max(high).max(low);
            trade.worst = trade.worst.min(high).min(low);
        }
    }

    /// Values the account at a bar's close.
    pub fn close_bar(&mut self, bar: &Bar) {
        self.bars_held += usize::from(self.open.is_some());
        self.equity.push(self.value(bar.close));
    }

    /// Closes what is open at the last close, without slippage, and drops a decision nothing can
    /// fill.
    pub fn finish(&mut self, bar: usize, last: &Bar) {
        self.pending = None;
        if self.open.is_some() {
            self.close(bar, last.close, last.end, End::Data);
            if let Some(equity) = self.equity.last_mut() {
                *equity = self.lots.realised().saturating_sub(self.charges);
            }
        }
    }

    fn value(&self, mark: Price) -> Money {
        let total = self
            .lots
            .realised()
            .saturating_add(self.lots.unrealised(mark));
        total.saturating_sub(self.charges)
    }

    fn fill(&mut self, action: Action, bar: usize, price: Price, at: WallNanos) {
        match action {
            Action::Entry | Action::Pyramid => self.add(action, bar, price, at),
            Action::Exit if self.open.is_some() => {
                let side = self.terms.entry.opposite();
                self.close(bar, self.slipped(side, price), at, End::Signal);
            }
            Action::Exit => {}
        }
    }

    fn add(&mut self, action: Action, bar: usize, price: Price, at: WallNanos) {
        let price = self.slipped(self.terms.entry, price);
        let deal = Deal {
            side: self.terms.entry,
            qty: self.terms.qty,
            price,
            at,
        };
        let charges = self.book(&deal, bar, action);
        let trade = self.open.get_or_insert(Trade {
            side: deal.side,
            qty: Qty::ZERO,
            entries: 0,
            entered: at,
            entry_bar: bar,
            entry: price,
            left: at,
            exit_bar: bar,
            exit: price,
            gross: Money::ZERO,
            charges: Money::ZERO,
            best: Money::ZERO,
            worst: Money::ZERO,
            end: End::Data,
        });
        trade.qty = self.lots.net().size();
        trade.entries += 1;
        trade.entry = self.lots.average();
        trade.charges = trade.charges.saturating_add(charges);
        self.last_entry = Some(price);
    }

    fn close(&mut self, bar: usize, price: Price, at: WallNanos, end: End) {
        let Some(mut trade) = self.open.take() else {
            return;
        };
        let realised = self.lots.realised();
        let side = self.terms.entry.opposite();
        let deal = Deal {
            side,
            qty: self.lots.net().size(),
            price,
            at,
        };
        let charges = self.book(&deal, bar, Action::Exit);
        trade.gross = self.lots.realised().saturating_sub(realised);
        trade.charges = trade.charges.saturating_add(charges);
        (trade.best, trade.worst) = (trade.best.max(trade.gross), trade.worst.min(trade.gross));
        (trade.left, trade.exit_bar, trade.exit, trade.end) = (at, bar, price, end);
        self.last_entry = None;
        self.trades.push(trade);
    }

    fn book(&mut self, deal: &Deal, bar: usize, action: Action) -> Money {
        let charges = (self.charge)(deal);
        self.charges = self.charges.saturating_add(charges);
        self.lots.apply(deal.side, deal.qty, deal.price, deal.at);
        self.marks.push(Mark {
            bar,
            price: deal.price,
            action,
        });
        charges
    }

    fn slipped(&self, side: Side, price: Price) -> Price {
        match side {
            Side::Buy => price.saturating_add(self.terms.slippage),
            Side::Sell => price.saturating_sub(self.terms.slippage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(open: i64, high: i64, low: i64, close: i64) -> Bar {
        let [open, high, low, close] = [open, high, low, close].map(Price::from_rupees);
        Bar {
            open,
            high,
            low,
            close,
            ..Bar::default()
        }
    }

    fn terms(entry: Side, fill_at: FillAt) -> Terms {
        Terms {
            entry,
            qty: Qty(10),
            slippage: Price::from_rupees(1),
            fill_at,
        }
    }

    /// Plays bars with the decision taken at each close.
    fn play(terms: Terms, rows: &[(Bar, Option<Action>)]) -> Paper<impl FnMut(&Deal) -> Money> {
        let mut paper = Paper::new(terms, |_: &Deal| Money(70_000), rows.len());
        for (at, (bar, decision)) in rows.iter().enumerate() {
            paper.open_bar(at, bar.open, bar.start);
            paper.during(bar);
            if let Some(action) = decision {
                paper.decide(*action, at, bar.close, bar.end);
            }
            paper.close_bar(bar);
        }
        if let Some((last, _)) = rows.last() {
            paper.finish(rows.len() - 1, last);
        }
        paper
    }

    fn rupees(amount: i64) -> Money {
        Money(amount * 10_000)
    }

    #[test]
    fn a_decision_fills_at_the_next_open_with_slippage_and_charges() {
        let rows = [
            (bar(100, 105, 95, 104), Some(Action::Entry)),
            (bar(106, 120, 90, 110), None),
            (bar(111, 112, 100, 101), Some(Action::Exit)),
            (bar(99, 100, 90, 95), None),
        ];
        let paper = play(terms(Side::Buy, FillAt::NextOpen), &rows);
        let [trade] = paper.trades[..] else {
            panic!("one trade")
        };
        assert_eq!(
            (trade.entry, trade.exit),
            (Price::from_rupees(107), Price::from_rupees(98))
        );
        assert_eq!(
            (trade.gross, trade.charges, trade.net()),
            (rupees(-90), rupees(14), rupees(-104))
        );
        assert_eq!(
            (trade.entry_bar, trade.exit_bar, trade.bars(), trade.end),
            (1, 3, 2, End::Signal)
        );
        assert_eq!((trade.best, trade.worst), (rupees(130), rupees(-170)));
        let equity = [0, 30 - 7, -60 - 7, -104].map(rupees);
        assert_eq!((&paper.equity[..], paper.bars_held), (&equity[..], 2));
    }

    #[test]
    fn filling_at_the_close_uses_the_bar_that_was_decided_on() {
        let rows = [
            (bar(100, 105, 95, 104), Some(Action::Entry)),
            (bar(106, 107, 90, 110), Some(Action::Exit)),
        ];
        let paper = play(terms(Side::Buy, FillAt::Close), &rows);
        assert_eq!(
            (paper.trades[0].entry, paper.trades[0].exit),
            (Price::from_rupees(105), Price::from_rupees(109))
        );
        assert_eq!(
            (paper.trades[0].entry_bar, paper.trades[0].exit_bar),
            (0, 1)
        );
    }

    #[test]
    fn a_short_trade_gains_when_prices_fall_and_slippage_costs_it_too() {
        let rows = [
            (bar(100, 100, 100, 100), Some(Action::Entry)),
            (bar(90, 90, 80, 80), Some(Action::Exit)),
        ];
        let trade = play(terms(Side::Sell, FillAt::Close), &rows).trades[0];
        assert_eq!(
            (trade.entry, trade.exit, trade.gross),
            (Price::from_rupees(99), Price::from_rupees(81), rupees(180))
        );
        assert_eq!((trade.best, trade.worst), (rupees(190), rupees(0)));
    }

    #[test]
    fn additions_belong_to_their_trade_and_an_exit_closes_all() {
        let rows = [
            (bar(100, 100, 100, 100), Some(Action::Entry)),
            (bar(100, 110, 100, 110), Some(Action::Pyramid)),
            (bar(120, 130, 120, 130), Some(Action::Exit)),
            (bar(140, 140, 140, 140), Some(Action::Exit)),
        ];
        let paper = play(terms(Side::Buy, FillAt::NextOpen), &rows);
        let [trade] = paper.trades[..] else {
            panic!("one trade")
        };
        assert_eq!(
            (trade.qty, trade.entries, trade.entry),
            (Qty(20), 2, Price::from_rupees(111))
        );
        assert_eq!((trade.gross, trade.charges), (rupees(20 * 28), rupees(21)));
        assert_eq!(
            paper.marks.iter().map(|m| m.action).collect::<Vec<_>>(),
            [Action::Entry, Action::Pyramid, Action::Exit]
        );
        let sum: Money = paper.trades.iter().map(Trade::net).sum();
        assert_eq!(Some(&sum), paper.equity.last());
    }

    #[test]
    fn what_is_open_when_the_data_ends_is_valued_at_the_last_close() {
        let rows = [
            (bar(100, 100, 100, 100), Some(Action::Entry)),
            (bar(100, 110, 100, 110), Some(Action::Pyramid)),
        ];
        let paper = play(terms(Side::Buy, FillAt::NextOpen), &rows);
        let [trade] = paper.trades[..] else {
            panic!("one trade")
        };
        assert_eq!(
            (trade.end, trade.exit, trade.entries),
            (End::Data, Price::from_rupees(110), 1)
        );
        assert_eq!(paper.equity.last(), Some(&trade.net()));
        assert!(
            play(terms(Side::Buy, FillAt::NextOpen), &[])
                .trades
                .is_empty()
        );
    }
}
