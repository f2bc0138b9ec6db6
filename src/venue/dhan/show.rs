//! Packets of the market feed and of the 20-level depth feed, for people.

use super::depth::{self, LEVELS, SIDE_SIZE};
use super::feed;
use super::packet::{self, HEADER, Layout, Level, Packet};
use super::segment::{Segment, security_id, segment_of};
use crate::model::{FeedFault, Side};
use crate::venue::show::{
    BadFrame, Depth, DepthLevel, Ohlc, Show, Shown, Traded, inspect_packets, stamp,
};
use crate::venue::{Cursor, Frame};

impl Show for super::Dhan {
    /// Nothing stands around the packets of a message: each can be one by itself.
    fn message_length(bytes: &[u8]) -> Result<usize, BadFrame> {
        step(bytes, 0)
    }

    fn inspect(message: &[u8]) -> Result<Frame, BadFrame> {
        inspect_packets(message, HEADER, step)
    }

    fn next_body<'f>(
        message: &'f [u8],
        cursor: &mut Cursor,
    ) -> Option<Result<&'f [u8], FeedFault>> {
        let left = cursor.left().checked_sub(1)?;
        let at = cursor.at();
        Some(match step(message, at) {
            Ok(size) => {
                let end = at.saturating_add(size);
                *cursor = Cursor::new(end, left);
                Ok(message.get(at..end).unwrap_or_default())
            }
            Err(bad) => {
                *cursor = Cursor::new(at, 0);
                Err(bad.fault)
            }
        })
    }

    fn show(body: &[u8]) -> Result<Shown, String> {
        if is_depth(body) {
            return depth_shown(body);
        }
        let Ok(packet) = Packet::decode(body) else {
            let (code, found) = (body.first().copied().unwrap_or(0), body.len());
            return Err(match Layout::of(code) {
                Some(layout) => format!(
                    "found {found} bytes of code {code}, expected {}",
                    layout.size()
                ),
                None => {
                    format!("found code {code} in {found} bytes, expected 2, 4, 5, 6, 7, 8 or 50")
                }
            });
        };
        if packet.layout == Layout::Disconnect {
            return Ok(goodbye(packet.reason).read_as(packet::quote(body), ""));
        }
        let Some(segment) = Segment::of(packet.segment) else {
            return Err(format!(
                "found segment {} of id {}, expected 0 to 5, 7 or 8",
                packet.segment, packet.id
            ));
        };
        Ok(shown(&packet, segment).read_as(packet::quote(body), segment.name()))
    }
}

/// True for a message of the depth feed: its code stands third, where a packet of the market feed has the high byte of a
/// length below 256.
fn is_depth(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, 41 | 50 | 51, ..])
}

/// Bytes of the packet at `at`.
fn step(message: &[u8], at: usize) -> Result<usize, BadFrame> {
    let rest = message.get(at..).unwrap_or_default();
    let found = rest.len();
    if is_depth(rest) {
        let size = depth::split(rest).map(|(part, _)| part.len());
        return size.map_err(|fault| BadFrame::new(fault, at, found, SIDE_SIZE));
    }
    feed::size_at(message, at).map_err(|fault| {
        let told = rest.get(1..).and_then(|rest| rest.first_chunk());
        let told = told.map_or(0, |told| usize::from(u16::from_le_bytes(*told)));
        let known = rest.first().and_then(|code| Layout::of(*code));
        let size = known.map_or(told, |layout| usize::from(layout.size()));
        match fault {
            // Its length field is not the size of its code.
            FeedFault::Length => BadFrame::new(fault, at, told, size.max(HEADER)),
            _ => BadFrame::new(fault, at, found, size.max(HEADER)),
        }
    })
}

fn goodbye(reason: u16) -> Shown {
    let words = match reason {
        805 => "too many connections",
        806 => "not subscribed to data",
        807 => "the token expired",
        808 => "not authenticated",
        809 => "the token is invalid",
        810 => "the client id is invalid",
        _ => "not documented",
    };
    let kind = Shown {
        kind: Some("disconnect"),
        ..Shown::default()
    };
    kind.with("reason", reason).with("reason_words", words)
}

const fn kind(layout: Layout) -> &'static str {
    match layout {
        Layout::Ticker => "ticker",
        Layout::Quote => "quote",
        Layout::OpenInterest => "oi",
        Layout::PreviousClose => "previous_close",
        Layout::Status => "market_status",
        Layout::Full => "full",
        Layout::Disconnect => "disconnect",
    }
}

const fn mode(layout: Layout) -> Option<&'static str> {
    match layout {
        Layout::Ticker => Some("ltp"),
        Layout::Quote => Some("quote"),
        Layout::Full => Some("full"),
        Layout::OpenInterest | Layout::PreviousClose | Layout::Status | Layout::Disconnect => None,
    }
}

fn shown(packet: &Packet, segment: Segment) -> Shown {
    // What is no price of the segment is shown as the float it is.
    let rupees = |bits: u32| {
        let price = segment.price(bits);
        price.map_or_else(
            || f64::from(f32::from_bits(bits)),
            crate::model::Price::rupees,
        )
    };
    let layout = packet.layout;
    let is_full = layout == Layout::Full;
    let has_day = is_full || layout == Layout::Quote;
    let level = |l: &Level| DepthLevel {
        quantity: i64::from(l.quantity),
        price: rupees(l.price),
        orders: i64::from(l.orders),
    };
    let last = rupees(packet.last);
    let ohlc = Ohlc::of([packet.open, packet.high, packet.low, packet.close], rupees);
    let is_priced = has_day || layout == Layout::Ticker;
    let has_oi = is_full || matches!(layout, Layout::OpenInterest | Layout::PreviousClose);
    let shown = Shown {
        kind: Some(kind(layout)),
        tradable: Some(segment != Segment::Index),
        mode: mode(layout),
        instrument_token: Some(packet.id),
        last_price: is_priced.then_some(last),
        traded: has_day.then(|| Traded {
            last_traded_quantity: i64::from(packet.last_qty),
            average_traded_price: rupees(packet.average),
            volume_traded: i64::from(packet.volume),
            total_buy_quantity: i64::from(packet.buy_qty),
            total_sell_quantity: i64::from(packet.sell_qty),
        }),
        ohlc: has_day.then_some(ohlc),
        change: has_day.then(|| ohlc.change(last)),
        last_trade_time: is_priced.then(|| stamp(packet::trade_time(packet.last_trade_secs))),
        oi: has_oi.then(|| i64::from(packet.oi)),
        oi_day_high: is_full.then(|| i64::from(packet.oi_high)),
        oi_day_low: is_full.then(|| i64::from(packet.oi_low)),
        depth: is_full.then(|| Depth::of(&packet.bids, &packet.asks, level)),
        ..Shown::default()
    };
    let shown = shown.with("exchange_segment", segment.name());
    if layout == Layout::PreviousClose {
        return shown.with("previous_close", last);
    }
    shown
}

/// One side of twenty levels, or the end of that connection.
fn depth_shown(body: &[u8]) -> Result<Shown, String> {
    if matches!(body, [_, _, 50, ..]) {
        let reason = body.get(12..).and_then(|rest| rest.first_chunk());
        return Ok(goodbye(reason.map_or(0, |word| u16::from_le_bytes(*word))));
    }
    let side =
        depth::side(body).map_err(|fault| format!("{fault} in a side of {LEVELS} levels"))?;
    let level = |level: &depth::DepthLevel| DepthLevel {
        quantity: i64::from(level.quantity),
        price: level.price.rupees(),
        orders: i64::from(level.orders),
    };
    let levels = Some(side.levels.iter().map(level).collect());
    let (kind, depth) = match side.side {
        Side::Buy => (
            "depth_20_bid",
            Depth {
                buy: levels,
                sell: None,
            },
        ),
        Side::Sell => (
            "depth_20_ask",
            Depth {
                buy: None,
                sell: levels,
            },
        ),
    };
    let shown = Shown {
        kind: Some(kind),
        instrument_token: Some(security_id(side.token)),
        depth: Some(depth),
        ..Shown::default()
    };
    let segment = segment_of(side.token).map_or("", Segment::name);
    Ok(shown.with("exchange_segment", segment))
}
