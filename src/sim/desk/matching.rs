//! The broker's risk checks and the exchange's matching: what happens to an order after the door.

use super::{Desk, Moment, Trade, Work};
use crate::model::time::MINUTE;
use crate::model::{Kind, Price, Side};
use crate::sim::intake;
use crate::sim::market::Market;
use crate::sim::order::{OrderType, Status, Terms, Validity};
use crate::sim::positions::{Execution, Position, hold};

impl Desk {
    /// The broker's risk checks, whose refusals become rows.
    pub(super) fn validate(&mut self, at: usize, market: &mut Market, now: Moment) {
        if self.orders[at].status.is_final() {
            return;
        }
        market.settle(self.orders[at].terms.instrument);
        self.orders[at].updated_at = now.market;
        let terms = &self.orders[at].terms;
        let fault = off_tick(terms, market)
            .or_else(|| out_of_band(terms, market))
            .or_else(|| self.refused_by_fate(at))
            .or_else(|| self.short_of_funds(terms, market));
        match fault {
            Some((message, raw)) => self.reject(at, message, raw),
            None => self.note(at, Status::OpenPending),
        }
    }

    fn short_of_funds(&self, terms: &Terms, market: &Market) -> Option<(String, String)> {
        let held = self
            .positions
            .rows()
            .iter()
            .filter(|row| row.instrument == terms.instrument);
        let net: i64 = held.map(Position::net).sum();
        let after = net + terms.side.sign() * i64::from(terms.qty);
        if after.abs() <= net.abs() {
            return None;
        }
        let price = if terms.price.0 > 0 {
            terms.price
        } else {
            market.books[terms.instrument].last
        };
        let added = hold(market, terms.instrument, after, price)
            - hold(market, terms.instrument, net, price);
        let free = self.cash + self.positions.pnl(market) - self.positions.used(market);
        (added > free).then(|| {
            let (required, free) = (added as f64 / 10_000.0, free as f64 / 10_000.0);
            let message = format!(
                "Insufficient funds. Required margin is {required:.2} but available margin is {free:.2}."
            );
            (message, format!("RMS:Margin Exceeds,Required:{required:.2}, Available:{free:.2}"))
        })
    }

    /// The order reaches the exchange.
    pub(super) fn arrive(&mut self, at: usize, market: &mut Market, now: Moment) {
        if self.orders[at].status.is_final() {
            return;
        }
        let order = &mut self.orders[at];
        order.exchange_id = Some(1_100_000_000_000_000 + u64::try_from(at).unwrap_or(0) + 1);
        order.exchange_at = Some(now.market);
        order.updated_at = now.market;
        if self.dice.chance(self.reject_percent) {
            let message = "17070 : The order was rejected by the exchange (simulated).".to_owned();
            return self.reject(at, message.clone(), message);
        }
        self.working.push(at);
        if self.orders[at].waits_for_trigger {
            self.announce(at, Status::TriggerPending, None);
        } else {
            self.protect(at, market);
            self.announce(at, Status::Open, None);
        }
        if let Some(wait) = self.orders[at].fate.refused_after_ns {
            self.orders[at].fate.rests = true;
            self.after(at, now, wait, Work::RejectLate);
        }
        self.work(at, true, market, now);
    }

    /// Turns a protected market order into the limit order the exchange sees.
    pub(super) fn protect(&mut self, at: usize, market: &Market) {
        let order = &mut self.orders[at];
        if !order.terms.kind.needs_protection() {
            return;
        }
        let row = &market.rows[order.terms.instrument];
        let last = market.books[order.terms.instrument].last;
        let percent = if order.terms.protection < 0.0 {
            intake::automatic_protection(matches!(row.kind, Kind::Option { .. }), last)
        } else {
            order.terms.protection
        };
        let room = Price::from_rupees_f64(last.rupees() * percent / 100.0);
        order.terms.price = match order.terms.side {
            Side::Buy => last.saturating_add(room).ceil_to(row.tick),
            Side::Sell => last.saturating_sub(room).floor_to(row.tick).max(row.tick),
        };
        order.terms.kind = OrderType::Limit;
        order.tags.push("mktp".to_owned());
        order.tags.push(format!("mktp:{percent:.2}"));
    }

    /// Matches every held order of the instruments that moved.
    pub(crate) fn follow(&mut self, moved: &[usize], market: &mut Market, now: Moment) {
        self.now = now;
        if self.working.is_empty() {
            return;
        }
        let touched: Vec<usize> = self
            .working
            .iter()
            .copied()
            .filter(|at| moved.contains(&self.orders[*at].terms.instrument))
            .collect();
        for at in touched {
            if let Validity::Ttl(minutes) = self.orders[at].terms.validity
                && now.market.since(self.orders[at].placed_at) >= i64::from(minutes) * MINUTE
            {
                self.cancelled(at, None, now);
                continue;
            }
            self.work(at, false, market, now);
        }
    }

    /// Matches one order; `fresh` orders get the book's prices, resting ones their own.
    pub(super) fn work(&mut self, at: usize, fresh: bool, market: &mut Market, now: Moment) {
        if self.orders[at].status.is_final() {
            return;
        }
        let mut fresh = fresh;
        let (instrument, side) = (self.orders[at].terms.instrument, self.orders[at].terms.side);
        if self.orders[at].waits_for_trigger {
            let (last, trigger) = (market.books[instrument].last, self.orders[at].terms.trigger);
            let reached = match side {
                Side::Buy => last >= trigger,
                Side::Sell => last <= trigger,
            };
            if !reached {
                return;
            }
            self.orders[at].waits_for_trigger = false;
            self.orders[at].updated_at = now.market;
            self.protect(at, market);
            self.announce(at, Status::Open, None);
            fresh = true;
        }
        if self.orders[at].fate.rests {
            return self.settle(at, false, now);
        }
        let limit = self.orders[at].terms.price;
        let wanted = self.wanted(at, market, now);
        let had = market.books[instrument].take(side, limit, wanted);
        for (price, qty) in &had {
            self.fill(at, *qty, if fresh { *price } else { limit }, now);
        }
        self.settle(at, !had.is_empty(), now);
    }

    /// Units to try for: all that is open, or some whole lots of it when chance says so.
    fn wanted(&mut self, at: usize, market: &Market, now: Moment) -> u32 {
        let open = self.orders[at].open_qty();
        let lot = market.rows[self.orders[at].terms.instrument].lot.0.max(1);
        let lots = open / lot;
        if lots >= 2
            && let Some(share) = self.orders[at].fate.share.take()
        {
            return self.first_share(at, lot, share, now);
        }
        if lots >= 2 && self.dice.chance(self.partial_percent) {
            lot * (1 + self.dice.below(lots - 1))
        } else {
            open
        }
    }

    pub(super) fn fill(&mut self, at: usize, qty: u32, price: Price, now: Moment) {
        let order = &mut self.orders[at];
        order.filled += qty;
        order.value += i128::from(price.0) * i128::from(qty);
        order.updated_at = now.market;
        order.exchange_at = Some(now.market);
        let terms = &order.terms;
        self.positions.apply(Execution {
            instrument: terms.instrument,
            product: terms.product,
            side: terms.side,
            qty,
            price,
        });
        let id = 10_000_001 + u64::try_from(self.trades.len()).unwrap_or(0);
        self.trades.push(Trade {
            id,
            order: at,
            qty,
            price,
            at: now.market,
            real: now.real,
        });
    }

    /// Tells what an attempt to match came to.
    fn settle(&mut self, at: usize, filled: bool, now: Moment) {
        if self.orders[at].filled == self.orders[at].terms.qty {
            self.working.retain(|order| *order != at);
            self.announce(at, Status::Complete, None);
        } else if self.orders[at].terms.validity == Validity::Ioc {
            self.cancelled(at, None, now);
        } else if filled {
            let status = self.orders[at].status;
            let status = if status == Status::CancelPending {
                status
            } else {
                Status::Open
            };
            self.announce(at, status, Some("UPDATE"));
        }
    }
}

pub(super) fn off_tick(terms: &Terms, market: &Market) -> Option<(String, String)> {
    let tick = market.rows[terms.instrument].tick;
    let wrong = |price: Price| price.0 != 0 && !price.is_on(tick);
    (wrong(terms.price) || wrong(terms.trigger)).then(|| {
        let message = format!(
            "Tick size for this script is {tick}. \
             Kindly enter price in the multiple of tick size for this script."
        );
        (
            message.clone(),
            format!("RMS:Rule: Check price in multiple of tick size : {message}"),
        )
    })
}

pub(super) fn out_of_band(terms: &Terms, market: &Market) -> Option<(String, String)> {
    let (low, high) = market.band(terms.instrument);
    let wrong = terms.price.0 != 0 && !(low..=high).contains(&terms.price);
    (wrong && !terms.kind.needs_protection()).then(|| {
        let (word, bound) = if terms.price > high {
            ("higher", high)
        } else {
            ("lower", low)
        };
        let side = if terms.price > high { "upper" } else { "lower" };
        let message = format!(
            "Your order price is {word} than the current {side} circuit limit of {bound}. \
             Place an order within the daily range."
        );
        (
            message,
            "RMS:Rule: Check circuit limit including square off order exceeds".to_owned(),
        )
    })
}
