//! Packets of the ticker, for people.

use super::feed;
use super::packet::{self, Layout, Level, Packet};
use super::segment::Segment;
use crate::model::{FeedFault, WallNanos};
use crate::venue::show::{BadFrame, Depth, DepthLevel, Ohlc, Show, Shown, Traded, stamp};
use crate::venue::{Cursor, Frame};

impl Show for super::Kite {
    fn message_length(bytes: &[u8]) -> Result<usize, BadFrame> {
        feed::frame_length(bytes)
    }

    fn inspect(message: &[u8]) -> Result<Frame, BadFrame> {
        feed::inspect(message)
    }

    fn next_body<'f>(
        message: &'f [u8],
        cursor: &mut Cursor,
    ) -> Option<Result<&'f [u8], FeedFault>> {
        feed::next_body(message, cursor)
    }

    fn show(body: &[u8]) -> Result<Shown, String> {
        let Ok(packet) = Packet::decode(body) else {
            let found = body.len();
            return Err(format!(
                "found {found} bytes, expected 8, 28, 32, 44 or 184"
            ));
        };
        let Some(segment) = packet.segment() else {
            let token = packet.token.0;
            let number = token & 0xFF;
            return Err(format!(
                "found segment {number} in token {token}, expected 1 to 9 or 12"
            ));
        };
        Ok(shown(&packet, segment).read_as(Some(packet::quote(body)), segment.name()))
    }
}

fn shown(packet: &Packet, segment: Segment) -> Shown {
    let divisor = f64::from(segment.divisor());
    // Both numbers are exact, so the quotient is the double that prints as the decimal itself.
    let rupees = |raw: u32| f64::from(raw) / divisor;
    let wall = |secs: u32| stamp(WallNanos::from_secs(i64::from(secs)));
    let layout = packet.layout;
    let is_full = layout == Layout::Full;
    let level = |l: &Level| DepthLevel {
        quantity: i64::from(l.quantity),
        price: rupees(l.price),
        orders: i64::from(l.orders),
    };
    let full = |number: u32| is_full.then(|| i64::from(number));
    let last = rupees(packet.last);
    let ohlc = Ohlc::of([packet.open, packet.high, packet.low, packet.close], rupees);
    let has_day = layout != Layout::Ltp;
    Shown {
        tradable: Some(segment.is_tradable()),
        mode: Some(layout.mode().name()),
        instrument_token: Some(packet.token.0),
        last_price: Some(last),
        traded: (is_full || layout == Layout::Quote).then(|| Traded {
            last_traded_quantity: i64::from(packet.last_qty),
            average_traded_price: rupees(packet.average),
            volume_traded: i64::from(packet.volume),
            total_buy_quantity: i64::from(packet.buy_qty),
            total_sell_quantity: i64::from(packet.sell_qty),
        }),
        ohlc: has_day.then_some(ohlc),
        change: has_day.then(|| ohlc.change(last)),
        last_trade_time: is_full.then(|| wall(packet.last_trade_secs)),
        oi: full(packet.oi),
        oi_day_high: full(packet.oi_high),
        oi_day_low: full(packet.oi_low),
        exchange_timestamp: (is_full || layout == Layout::IndexFull)
            .then(|| wall(packet.exchange_secs)),
        depth: is_full.then(|| Depth::of(&packet.bids, &packet.asks, level)),
        ..Shown::default()
    }
}
