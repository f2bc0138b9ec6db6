//! The latest price of an instrument off the board, for whoever asks a running engine.

use super::names::Names;
use crate::control::guard::Prices;
use crate::model::{MonoNanos, Price};
use crate::pipeline::Engine;
use crate::store::cache::PriceState;
use serde_json::{Value, json};

/// Answers by trading symbol; reading the board holds up nobody.
pub(super) fn reader(engine: &Engine, names: &Names, stale_ns: u64) -> Prices {
    let (board, clock) = (engine.quotes.clone(), engine.clock.clone());
    let (sources, instruments) = (engine.sources.clone(), names.instruments.clone());
    Box::new(move |symbol| {
        let Some(row) = instruments.iter().find(|row| row.symbol == symbol) else {
            return json!({ "error": format!("{symbol:?} is no instrument of this run") });
        };
        let whole = board.snapshot(row.ix);
        let name = json!({ "instrument": row.symbol, "exchange": row.exchange.name() });
        if whole.touch.received == MonoNanos(0) {
            return name;
        }
        let now = clock.mono();
        let side = |price: Price| (price != Price::ZERO).then(|| price.rupees());
        let source = sources.get(usize::from(whole.source.source()));
        let mut told = json!({
            "last": whole.touch.last.rupees(), "bid": side(whole.touch.bid), "ask": side(whole.touch.ask),
            "age_ms": now.since(whole.touch.received) / 1_000_000,
            "received": clock.wall_at(whole.touch.received).to_string(),
            "exchange_time": whole.exchange_time.to_string(),
            "source": source, "state": PriceState::of(&whole, now, stale_ns).name(),
        });
        if let (Value::Object(told), Value::Object(name)) = (&mut told, name) {
            told.extend(name);
        }
        told
    })
}
