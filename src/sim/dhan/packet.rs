//! Dhan's binary packets, written from the byte table of the protocol notes (section 3.3).
//!
//! Shares nothing with the decoder: two readings of one table check each other.

use super::{security_id, segment};
use crate::model::{Instrument, Price, Side, WallNanos};
use crate::sim::market::Book;
use crate::sim::wire::Mode;

/// Seconds that times of the feed are ahead of UTC: they count from midnight in India.
const INDIA: i64 = 19_800;

fn head(out: &mut Vec<u8>, code: u8, size: u16, segment: u8, id: u32) {
    out.push(code);
    out.extend_from_slice(&size.to_le_bytes());
    out.push(segment);
    word(out, id);
}

fn word(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn half(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the wire has no more than this: rounding to float32 is what clients have to live with"
)]
fn price(out: &mut Vec<u8>, value: Price) {
    out.extend_from_slice(&(value.rupees() as f32).to_le_bytes());
}

fn time(out: &mut Vec<u8>, at: WallNanos) {
    let secs = if at.0 == 0 { 0 } else { at.secs() + INDIA };
    word(out, u32::try_from(secs).unwrap_or(0));
}

fn count(out: &mut Vec<u8>, value: u64) {
    word(out, u32::try_from(value).unwrap_or(u32::MAX));
}

/// Bytes 8 to 33 of quote and full: the sell side's total stands first.
fn trades(out: &mut Vec<u8>, book: &Book) {
    price(out, book.last);
    // 16 bits on the wire: large trades wrap.
    half(out, u16::try_from(book.last_qty & 0xFFFF).unwrap_or(0));
    time(out, book.last_trade);
    price(out, book.average());
    count(out, book.volume);
    count(out, book.waiting(Side::Sell));
    count(out, book.waiting(Side::Buy));
}

/// The close is the previous session's, all day.
fn day(out: &mut Vec<u8>, book: &Book) {
    for value in [book.open, book.previous, book.high, book.low] {
        price(out, value);
    }
}

fn depth(out: &mut Vec<u8>, book: &Book) {
    for (bid, ask) in book.bids.iter().zip(&book.asks) {
        word(out, bid.qty);
        word(out, ask.qty);
        half(out, bid.orders);
        half(out, ask.orders);
        price(out, bid.price);
        price(out, ask.price);
    }
}

/// Appends what an instrument shows now; returns the number of packets.
pub(super) fn push(out: &mut Vec<u8>, row: &Instrument, book: &Book, mode: Mode) -> u64 {
    let (number, id) = (segment(row).0, security_id(row));
    match mode {
        Mode::Ltp => {
            head(out, 2, 16, number, id);
            price(out, book.last);
            time(out, book.last_trade);
            1
        }
        Mode::Quote => {
            head(out, 4, 50, number, id);
            trades(out, book);
            day(out, book);
            if !row.is_tradable() {
                return 1;
            }
            head(out, 5, 12, number, id);
            word(out, book.oi);
            2
        }
        Mode::Full => {
            head(out, 8, 162, number, id);
            trades(out, book);
            for interest in [book.oi, book.oi_high, book.oi_low] {
                word(out, interest);
            }
            day(out, book);
            depth(out, book);
            1
        }
    }
}

/// The packet that ends a connection.
pub(super) fn disconnect(reason: u16) -> Vec<u8> {
    let mut out = Vec::new();
    head(&mut out, 50, 10, 0, 0);
    half(&mut out, reason);
    out
}
