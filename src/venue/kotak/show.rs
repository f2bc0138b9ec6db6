//! Packets of the SFeed, for people.

use super::feed;
use super::packet::{
    self, Auction, Body, HEADER, Header, Index, Level, Mini, Packet, Picture, Row, code,
};
use super::segment::Segment;
use crate::model::FeedFault;
use crate::venue::show::{
    BadFrame, Depth, DepthLevel, Ohlc, Show, Shown, Traded, inspect_packets, stamp,
};
use crate::venue::{Cursor, Frame};

impl Show for super::Kotak {
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
        feed::next_body(message, cursor)
    }

    fn show(body: &[u8]) -> Result<Shown, String> {
        let Ok(packet) = Packet::decode(body) else {
            let word = |at: usize| body.get(at..).and_then(|rest| rest.first_chunk());
            let code = word(2).map_or(0, |word| u16::from_le_bytes(*word));
            let level = body.get(5).copied().unwrap_or(0);
            return Err(format!(
                "found code {code}, level {level} in {} bytes, expected code 104, 105, 6511, 6521 or 7207, or level \
                 1, 2, 4, 8 or 16, and all of its fields",
                body.len()
            ));
        };
        let id = packet.header.exchange;
        let Some(segment) = Segment::of(id) else {
            return Err(format!("found exchange id {id}, expected 1 to 10"));
        };
        let shown = shown(&packet, segment).with("exchange_segment", segment.name());
        Ok(shown.read_as(packet::quote(body), segment.name()))
    }
}

/// Bytes of the packet at `at`.
fn step(message: &[u8], at: usize) -> Result<usize, BadFrame> {
    let rest = message.get(at..).unwrap_or_default();
    let Some(length) = feed::length_at(message, at) else {
        return Err(BadFrame::new(FeedFault::Trailing, at, rest.len(), HEADER));
    };
    if length < HEADER {
        return Err(BadFrame::new(FeedFault::Length, at, length, HEADER));
    }
    if length > rest.len() {
        return Err(BadFrame::new(FeedFault::Truncated, at, rest.len(), length));
    }
    Ok(length)
}

fn shown(packet: &Packet, segment: Segment) -> Shown {
    let divider = f64::from(segment.divider());
    let header = &packet.header;
    let shown = match &packet.body {
        Body::Bell => bell(*header),
        Body::Status(number, text) => Shown {
            kind: Some("market_status"),
            ..Shown::default()
        }
        .with("status", *number)
        .with("status_text", words(text)),
        Body::Auction(auction) => auction_shown(auction, divider),
        Body::Index(index) => index_shown(index, divider),
        Body::Mini(mini) => mini_shown(mini, divider),
        Body::Picture(picture) => picture_shown(picture, *header, divider),
    };
    let shown = shown.with("sequence", header.sequence);
    if header.auction == 0 {
        return shown;
    }
    shown.with("auction", header.auction)
}

/// A text padded with zeros.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim_end_matches('\0').to_owned()
}

fn bell(header: Header) -> Shown {
    let is_open = header.code == code::OPEN;
    Shown {
        kind: Some(if is_open {
            "market_open"
        } else {
            "market_close"
        }),
        ..Shown::default()
    }
}

fn auction_shown(auction: &Auction, divider: f64) -> Shown {
    let shown = Shown {
        kind: Some("closing_auction"),
        instrument_token: Some(auction.token),
        ..Shown::default()
    };
    shown
        .with("reference_price", f64::from(auction.reference) / divider)
        .with("imbalance", auction.imbalance)
        .with("imbalance_at_market", auction.imbalance_at_market)
}

fn index_shown(index: &Index, divider: f64) -> Shown {
    let rupees = |raw: i32| f64::from(raw) / divider;
    let at = i64::try_from(index.at).unwrap_or(0);
    let shown = Shown {
        kind: Some("index"),
        tradable: Some(false),
        mode: Some("quote"),
        instrument_token: Some(index.token),
        last_price: Some(rupees(index.last)),
        ohlc: Some(Ohlc::of(
            [index.open, index.high, index.low, index.close],
            rupees,
        )),
        change: Some(f64::from(index.change_percent) / 100.0),
        exchange_timestamp: Some(stamp(packet::time(at))),
        ..Shown::default()
    };
    shown
        .with("name", words(&index.name))
        .with("year_high", rupees(index.year_high))
        .with("year_low", rupees(index.year_low))
        .with("capitalisation", index.capitalisation)
        .with("precision", index.precision)
        .with("multiplier", index.multiplier)
}

fn mini_shown(mini: &Mini, divider: f64) -> Shown {
    let rupees = |raw: u32| f64::from(raw) / divider;
    let shown = Shown {
        kind: Some("mini"),
        tradable: Some(true),
        mode: Some("ltp"),
        instrument_token: Some(mini.token),
        last_price: Some(rupees(mini.last)),
        change: Some(f64::from(mini.change_percent) / 100.0),
        last_trade_time: Some(stamp(packet::time(mini.traded_at))),
        ..Shown::default()
    };
    shown
        .with("last_traded_quantity", mini.last_qty)
        .with("previous_close", rupees(mini.close))
        .with("net_change", f64::from(mini.change) / divider)
        .with("lot", mini.lot)
        .with("precision", mini.precision)
        .with("multiplier", mini.multiplier)
}

/// The name of a picture's level, and the mode it is asked for with.
const fn level(byte: u8) -> (&'static str, &'static str) {
    match Level::of(byte) {
        Some(Level::Depth) => ("depth", "full"),
        Some(Level::FullDepth) => ("depth_20", "full"),
        Some(Level::Second) => ("level_2", "quote"),
        Some(Level::Touch | Level::Mini) | None => ("touch", "quote"),
    }
}

fn picture_shown(picture: &Picture, header: Header, divider: f64) -> Shown {
    let rupees = |raw: u32| f64::from(raw) / divider;
    let (kind, mode) = level(header.level);
    let (buys, sells) = picture.counts(Level::of(header.level).unwrap_or_default());
    let row = |row: &Row| DepthLevel {
        quantity: row.quantity,
        price: f64::from(row.price) / divider,
        orders: i64::from(row.orders),
    };
    let most = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let (buys, sells) = (
        picture.buys.iter().take(most(buys)),
        picture.sells.iter().take(most(sells)),
    );
    let shown = Shown {
        kind: Some(kind),
        tradable: Some(true),
        mode: Some(mode),
        instrument_token: Some(picture.token),
        last_price: Some(rupees(picture.last)),
        traded: Some(Traded {
            last_traded_quantity: picture.last_qty,
            average_traded_price: rupees(picture.average),
            volume_traded: picture.volume,
            total_buy_quantity: picture.buy_total,
            total_sell_quantity: picture.sell_total,
        }),
        ohlc: Some(Ohlc::of(
            [picture.open, picture.high, picture.low, picture.close],
            rupees,
        )),
        change: Some(f64::from(picture.change_percent) / 100.0),
        last_trade_time: Some(stamp(packet::time(picture.traded_at))),
        oi: Some(i64::from(picture.open_interest)),
        exchange_timestamp: Some(stamp(packet::time(picture.updated_at))),
        depth: Some(Depth::of(buys, sells, row)),
        ..Shown::default()
    };
    shown
        .with("net_change", f64::from(picture.change) / divider)
        .with("indicative_close", rupees(picture.indicative_close))
        .with("status", picture.status)
        .with("value", picture.value / divider)
        .with("upper_circuit", rupees(picture.upper_circuit))
        .with("lower_circuit", rupees(picture.lower_circuit))
        .with("year_high", rupees(picture.year_high))
        .with("year_low", rupees(picture.year_low))
        .with("lot", picture.lot)
        .with("precision", picture.precision)
        .with("multiplier", picture.multiplier)
}
