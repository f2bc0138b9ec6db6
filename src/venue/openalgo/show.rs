//! Messages of the WebSocket proxy, for people: JSON, one message a line.

use crate::model::{FeedFault, WallNanos};
use crate::venue::show::{BadFrame, Depth, DepthLevel, Show, Shown, stamp};
use crate::venue::{Cursor, FRAME_MAX, Frame, JsonScratch, TextMessage, Updates};
use serde_json::Value;

impl Show for super::OpenAlgo {
    /// Up to the end of the line.
    fn message_length(bytes: &[u8]) -> Result<usize, BadFrame> {
        let line = bytes.iter().position(|byte| *byte == b'\n');
        Ok(line.map_or(bytes.len(), |end| end.saturating_add(1)))
    }

    fn inspect(message: &[u8]) -> Result<Frame, BadFrame> {
        let found = message.len();
        if found > FRAME_MAX {
            return Err(BadFrame {
                fault: FeedFault::Oversized,
                offset: 0,
                found,
                expected: FRAME_MAX,
            });
        }
        Ok(match message.trim_ascii() {
            [] => Frame::Heartbeat,
            _ => Frame::Packets(Cursor::new(0, 1)),
        })
    }

    fn next_body<'f>(
        message: &'f [u8],
        cursor: &mut Cursor,
    ) -> Option<Result<&'f [u8], FeedFault>> {
        let left = cursor.left().checked_sub(1)?;
        *cursor = Cursor::new(message.len(), left);
        Some(Ok(message))
    }

    fn show(body: &[u8]) -> Result<Shown, String> {
        let root: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if !root.is_object() {
            return Err("found JSON that is no message, expected an object".to_owned());
        }
        let mut bytes = body.to_vec();
        let quote = match Self::text_message(&mut bytes, &mut JsonScratch::new()) {
            TextMessage::Quote(quote) => Some(Ok(quote)),
            TextMessage::Malformed => Some(Err(FeedFault::Text)),
            _ => None,
        };
        let exchange = text(&root, "exchange").unwrap_or_default().to_owned();
        let shown = match text(&root, "type") {
            Some("market_data") => tick(&root),
            _ => message(root),
        };
        Ok(shown.read_as(quote, &exchange))
    }
}

fn text<'a>(of: &'a Value, name: &str) -> Option<&'a str> {
    of.get(name)?.as_str()
}

/// A number, also one in a text.
fn number(of: &Value, name: &str) -> Option<f64> {
    let value = of.get(name)?;
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// A tick: what other brokers have too under their names, everything else under its own.
fn tick(root: &Value) -> Shown {
    let data = root.get("data").unwrap_or(&Value::Null);
    let levels = |side: &str| {
        let rows = data.get("depth")?.get(side)?.as_array()?;
        let whole = |row: &Value, name: &str| row.get(name).and_then(Value::as_i64).unwrap_or(0);
        let level = |row: &Value| DepthLevel {
            quantity: whole(row, "quantity"),
            price: number(row, "price").unwrap_or(0.0),
            orders: whole(row, "orders"),
        };
        Some(rows.iter().map(level).collect())
    };
    let millis = data.get("timestamp").and_then(Value::as_i64);
    let at = millis.map(|millis| stamp(WallNanos(millis.saturating_mul(1_000_000))));
    let mut shown = Shown {
        kind: Some("market_data"),
        mode: match root.get("mode").and_then(Value::as_i64) {
            Some(1) => Some("ltp"),
            Some(2) => Some("quote"),
            Some(3) => Some("full"),
            _ => None,
        },
        last_price: number(data, "ltp"),
        oi: data.get("oi").and_then(Value::as_i64),
        exchange_timestamp: at,
        depth: data.get("depth").map(|_| Depth {
            buy: levels("buy"),
            sell: levels("sell"),
        }),
        ..Shown::default()
    };
    for name in ["exchange", "symbol", "broker"] {
        if let Some(word) = text(root, name) {
            shown = shown.with(name, word);
        }
    }
    let taken = ["ltp", "oi", "timestamp", "depth"];
    for (name, value) in data.as_object().into_iter().flatten() {
        if !taken.contains(&name.as_str()) {
            shown = shown.with(name, value.clone());
        }
    }
    shown
}

/// Anything that is no tick, as it stands.
fn message(root: Value) -> Shown {
    Shown {
        kind: Some("message"),
        ..Shown::default()
    }
    .with("message", root)
}
