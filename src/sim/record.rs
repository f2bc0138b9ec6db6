//! The venue's record as values: what checkers outside the engine read.
//!
//! It is taken from the venue's own books, whatever clients were told: a reply that was lost, an order book
//! that was out of date or a venue that forgot its orders change nothing here.

use super::faults::{Kind, On};
use super::order::{Status, Step};
use super::state::World;
use crate::model::{Price, Side, WallNanos};
use serde_json::{Value, json};

/// One request as it was heard.
#[derive(Clone, Debug)]
pub struct RequestTruth {
    /// What it was about.
    pub on: On,
    /// Connection it came on.
    pub connection: u64,
    /// Status it was answered with; 0 when it was not answered.
    pub status: u16,
    /// Tag of the order it named.
    pub tag: Option<String>,
    /// Number of the order it made or named, when it was done.
    pub order_id: Option<String>,
    /// Real nanoseconds of the venue's clock.
    pub real: u64,
    /// Market time.
    pub market: WallNanos,
}

/// One order as it is.
#[derive(Clone, Debug)]
pub struct OrderTruth {
    /// The broker's number.
    pub id: u64,
    /// Its tag.
    pub tag: Option<String>,
    /// Its contract.
    pub symbol: String,
    /// Bought or sold.
    pub side: Side,
    /// Units asked for.
    pub qty: u32,
    /// Units filled.
    pub filled: u32,
    /// Units cancelled.
    pub cancelled: u32,
    /// Limit price.
    pub price: Price,
    /// Where it is.
    pub status: Status,
    /// Every change, oldest first: the first is when it was entered.
    pub steps: Vec<Step>,
    /// Entered by somebody else on the account.
    pub is_foreign: bool,
}

/// One execution.
#[derive(Clone, Debug)]
pub struct TradeTruth {
    /// The exchange's number.
    pub id: u64,
    /// The broker's number of the order.
    pub order: u64,
    /// Tag of the order.
    pub tag: Option<String>,
    /// Contract.
    pub symbol: String,
    /// Bought or sold.
    pub side: Side,
    /// Units.
    pub qty: u32,
    /// Price.
    pub price: Price,
    /// Real nanoseconds of the venue's clock.
    pub real: u64,
    /// Market time.
    pub market: WallNanos,
}

/// What is held of one contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetTruth {
    /// Contract.
    pub symbol: String,
    /// Product: `NRML` or `MIS`.
    pub product: &'static str,
    /// Units, negative when short.
    pub qty: i64,
}

/// One fault that was played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultTruth {
    /// What happened.
    pub kind: Kind,
    /// To what.
    pub on: On,
    /// Tag of the order concerned.
    pub tag: Option<String>,
    /// Market time.
    pub market: WallNanos,
}

/// Everything the venue knows to have happened.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Requests in the order they were heard.
    pub requests: Vec<RequestTruth>,
    /// Orders in the order they were entered.
    pub orders: Vec<OrderTruth>,
    /// Executions in order.
    pub trades: Vec<TradeTruth>,
    /// Net positions.
    pub net: Vec<NetTruth>,
    /// Faults in order.
    pub faults: Vec<FaultTruth>,
}

impl Record {
    /// What is wrong with the record itself; empty when positions are the sum of the trades, no order is
    /// filled beyond its quantity, and final statuses never become open again.
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for row in &self.net {
            let trades = self.trades.iter().filter(|t| t.symbol == row.symbol);
            let sum: i64 = trades.map(|t| t.side.sign() * i64::from(t.qty)).sum();
            let rows = self.net.iter().filter(|other| other.symbol == row.symbol);
            let held: i64 = rows.map(|row| row.qty).sum();
            if sum != held {
                found.push(format!("{}: trades give {sum}, held is {held}", row.symbol));
            }
        }
        for order in &self.orders {
            let trades = self.trades.iter().filter(|t| t.order == order.id);
            let sum: u32 = trades.map(|t| t.qty).sum();
            if sum != order.filled || order.filled + order.cancelled > order.qty {
                found.push(format!(
                    "order {}: {} asked, {} filled, {} cancelled, trades give {sum}",
                    order.id, order.qty, order.filled, order.cancelled
                ));
            }
            for two in order.steps.windows(2) {
                let reopened = two[0].status.is_final()
                    && two[1].status != two[0].status
                    && (two[0].status, two[1].status) != (Status::Cancelled, Status::Complete);
                if reopened || two[1].filled < two[0].filled || two[1].real < two[0].real {
                    found.push(format!(
                        "order {}: {:?} then {:?}",
                        order.id, two[0], two[1]
                    ));
                }
            }
        }
        found
    }
}

impl FaultTruth {
    pub(crate) fn json(&self, number: usize) -> Value {
        json!({
            "n": number,
            "kind": self.kind.name(),
            "on": self.on.name(),
            "tag": self.tag,
            "market_nanos": self.market.0,
        })
    }
}

impl World {
    /// The record so far.
    pub(crate) fn record(&self) -> Record {
        let symbol = |ix: usize| self.market.rows[ix].symbol.clone();
        let requests = self.truth.arrivals.iter().map(|row| RequestTruth {
            on: self.wire.subject(&row.method, &row.path),
            connection: row.connection,
            status: row.status,
            tag: row.tag.clone(),
            order_id: row.order_id.clone(),
            real: row.mono_ns,
            market: row.market,
        });
        let orders = self.desk.orders.iter().map(|order| OrderTruth {
            id: order.id,
            tag: order.terms.tag.clone(),
            symbol: symbol(order.terms.instrument),
            side: order.terms.side,
            qty: order.terms.qty,
            filled: order.filled,
            cancelled: order.cancelled,
            price: order.terms.price,
            status: order.status,
            steps: order.steps.clone(),
            is_foreign: order.is_foreign,
        });
        let trades = self.desk.trades.iter().map(|trade| {
            let order = &self.desk.orders[trade.order];
            TradeTruth {
                id: trade.id,
                order: order.id,
                tag: order.terms.tag.clone(),
                symbol: symbol(order.terms.instrument),
                side: order.terms.side,
                qty: trade.qty,
                price: trade.price,
                real: trade.real,
                market: trade.at,
            }
        });
        let net = self.desk.positions.rows().iter().map(|row| NetTruth {
            symbol: symbol(row.instrument),
            product: row.product,
            qty: row.net(),
        });
        Record {
            requests: requests.collect(),
            orders: orders.collect(),
            trades: trades.collect(),
            net: net.collect(),
            faults: self.faults.clone(),
        }
    }
}
