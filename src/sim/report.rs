//! The venue's own account of a run as JSON: `/sim/clock`, `/sim/truth` and the summary.

use super::clock::Pace;
use super::desk::Moment;
use super::kite::rows;
use super::state::World;
use crate::runtime::{Clock, MarketTime};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// Tells this venue from any other that played the same day: its process, and when it was first asked.
fn world() -> &'static str {
    static WORLD: OnceLock<String> = OnceLock::new();
    WORLD.get_or_init(|| {
        let now = Clock::start(&MarketTime::Real).now().wall;
        format!("{}-{}", std::process::id(), now.0)
    })
}

impl World {
    /// The market clock.
    pub(crate) fn clock_json(&self, now: Moment) -> Value {
        let session = self.market.session();
        json!({
            "world": world(),
            "market_nanos": now.market.0,
            "market": now.market.to_string(),
            "mode": self.clock.pace.name(),
            "speed": match self.clock.pace {
                Pace::Scaled(factor) => json!(factor),
                Pace::Max => Value::Null,
            },
            "running": self.clock.is_running(),
            "ended": self.clock.has_ended(),
            "open_nanos": session.map(|s| s.open().0),
            "close_nanos": session.map(|s| s.close().0),
        })
    }

    /// Everything the venue knows to have happened.
    pub(crate) fn truth_json(&self, now: Moment) -> Value {
        let user = &self.account.credentials.user_id;
        let of = |order| rows::order(order, &self.market, user);
        let orders: Value = self
            .desk
            .orders
            .iter()
            .map(|order| {
                let mut row = of(order);
                if let Some(fields) = row.as_object_mut() {
                    fields.insert("conn".to_owned(), json!(order.connection));
                    fields.insert("foreign".to_owned(), json!(order.is_foreign));
                    fields.insert("placed_nanos".to_owned(), json!(order.placed_at.0));
                    fields.insert("history".to_owned(), order.history.iter().map(of).collect());
                    // When each change happened by the clock of `mono_ns` in requests, for lives of orders.
                    let steps = order.steps.iter();
                    let steps = steps.map(|s| json!([s.real, s.status.name(), s.filled]));
                    fields.insert("steps".to_owned(), steps.collect());
                }
                row
            })
            .collect();
        let fills: Value = self
            .desk
            .trades
            .iter()
            .map(|trade| {
                let mut row = rows::trade(&self.desk, trade, &self.market);
                if let Some(fields) = row.as_object_mut() {
                    fields.insert("market_nanos".to_owned(), json!(trade.at.0));
                    fields.insert(
                        "tag".to_owned(),
                        json!(self.desk.orders[trade.order].terms.tag),
                    );
                }
                row
            })
            .collect();
        json!({
            "seed": self.seed,
            "clock": self.clock_json(now),
            "steps": self.market.steps(),
            "logins": self.truth.logins,
            "logins_refused": self.truth.logins_refused,
            "logouts": self.truth.logouts,
            "counters": self.truth.tally.json(),
            "requests": self.truth.requests(),
            "orders": orders,
            "fills": fills,
            "faults": self.faults.iter().enumerate().map(|(n, fault)| fault.json(n)).collect::<Value>(),
            "positions": rows::positions(&self.desk.positions, &self.market)["net"],
            "pnl": self.desk.positions.pnl(&self.market) as f64 / 10_000.0,
        })
    }

    /// How often each fault was played.
    fn fault_counts(&self) -> Value {
        let mut counts = std::collections::BTreeMap::new();
        for fault in &self.faults {
            *counts.entry(fault.kind.name()).or_insert(0_u64) += 1;
        }
        json!(counts)
    }

    /// A few lines' worth of what happened.
    pub(crate) fn summary(&self, now: Moment) -> Value {
        json!({
            "market": now.market.to_string(),
            "steps": self.market.steps(),
            "logins": self.truth.logins,
            "requests": self.truth.arrivals.len(),
            "orders": self.desk.orders.len(),
            "open_orders": self.desk.open_orders(),
            "fills": self.desk.trades.len(),
            "faults": self.fault_counts(),
            "pnl": self.desk.positions.pnl(&self.market) as f64 / 10_000.0,
            "counters": self.truth.tally.json(),
        })
    }
}
