//! Packets of the SFeed, written from the field tables of the protocol notes (section 4).
//!
//! Shares nothing with the decoder: two readings of one table check each other.

use super::{index_name, number, segment};
use crate::model::{Instrument, Kind, Price, Side, WallNanos};
use crate::sim::market::{Book, Level};
use crate::sim::wire::Mode;

/// Writes little-endian fields behind one another.
struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
    divider: i64,
}

impl Writer<'_> {
    fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }
    fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
    fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
    fn i32(&mut self, value: i64) {
        let value = i32::try_from(value).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
    fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
    fn count(&mut self, value: u64) {
        self.i64(i64::try_from(value).unwrap_or(i64::MAX));
    }
    fn f64(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
    fn raw(&self, price: Price) -> i64 {
        price.0 * self.divider / 10_000
    }
    fn price(&mut self, price: Price) {
        let raw = self.raw(price);
        self.u32(u32::try_from(raw).unwrap_or(0));
    }
    fn value(&mut self, price: Price) {
        let raw = self.raw(price);
        self.i32(raw);
    }
    fn time(&mut self, at: WallNanos) {
        self.i64(at.secs());
    }
    /// Change from the close before, in hundredths of a per cent.
    fn percent(&mut self, book: &Book) {
        let change = i128::from(book.last.0) - i128::from(book.previous.0);
        let parts = change * 10_000 / i128::from(book.previous.0.max(1));
        self.i32(i64::try_from(parts).unwrap_or(0));
    }
    fn change(&mut self, book: &Book) {
        let raw = self.raw(book.last) - self.raw(book.previous);
        self.i32(raw);
    }
    fn row(&mut self, level: &Level) {
        self.i64(i64::from(level.qty));
        self.value(level.price);
        self.i32(i64::from(level.orders));
    }
    /// Writes the length over its place, now that it is known.
    fn end(self) {
        let length = u16::try_from(self.bytes.len() - self.start).unwrap_or(u16::MAX);
        self.bytes[self.start..self.start + 2].copy_from_slice(&length.to_le_bytes());
    }
}

/// Appends the packet that shows an instrument.
pub(super) fn write(row: &Instrument, book: &Book, mode: Mode, out: &mut Vec<u8>) {
    let (id, _, divider) = segment(row.exchange);
    let start = out.len();
    let mut writer = Writer {
        bytes: out,
        start,
        divider,
    };
    let is_index = matches!(row.kind, Kind::Index);
    let level = match mode {
        Mode::Ltp => 1,
        Mode::Quote => 4,
        Mode::Full => 8,
    };
    writer.u16(0);
    writer.u16(if is_index { 7_207 } else { 7_208 });
    writer.u8(id);
    writer.u8(if is_index { 0 } else { level });
    writer.u8(0);
    // The sequence number wraps.
    writer.u8(book.updates.to_le_bytes()[0]);
    writer.u8(0);
    writer.u32(number(row));
    match (is_index, mode) {
        (true, _) => index(&mut writer, row, book),
        (false, Mode::Ltp) => mini(&mut writer, row, book),
        (false, Mode::Quote) => picture(&mut writer, row, book, 1),
        (false, Mode::Full) => picture(&mut writer, row, book, book.bids.len()),
    }
    writer.end();
}

fn index(out: &mut Writer<'_>, row: &Instrument, book: &Book) {
    out.value(book.open);
    out.value(book.previous);
    out.value(book.high);
    out.value(book.low);
    out.value(book.last);
    out.time(book.at);
    out.value(book.high);
    out.value(book.low);
    out.percent(book);
    out.f64(0.0);
    out.u8(2);
    out.i32(1);
    let mut name = index_name(&row.symbol).into_bytes();
    name.resize(21, 0);
    out.bytes.extend_from_slice(&name);
}

fn mini(out: &mut Writer<'_>, row: &Instrument, book: &Book) {
    out.time(book.last_trade);
    out.price(book.last);
    out.i64(i64::from(book.last_qty));
    out.price(book.previous);
    out.percent(book);
    out.change(book);
    out.u32(row.lot.0);
    out.u8(2);
    out.u32(1);
}

fn picture(out: &mut Writer<'_>, row: &Instrument, book: &Book, levels: usize) {
    out.count(book.waiting(Side::Buy));
    out.count(book.waiting(Side::Sell));
    out.count(book.volume);
    out.time(book.last_trade);
    out.time(book.at);
    out.price(book.open);
    out.price(book.previous);
    out.price(book.high);
    out.price(book.low);
    out.price(book.last);
    out.i64(i64::from(book.last_qty));
    out.price(book.average());
    out.price(Price::ZERO);
    let rows = u32::try_from(book.bids.len()).unwrap_or(0);
    out.u32(rows);
    out.u32(rows);
    out.u16(0);
    out.percent(book);
    out.u32(book.oi);
    out.f64(book.average().rupees() * 100.0 * book.volume as f64);
    out.change(book);
    out.price(book.previous.basis_points(11_000));
    out.price(book.previous.basis_points(9_000));
    out.price(book.high);
    out.price(book.low);
    out.u32(row.lot.0);
    out.u8(2);
    out.u32(1);
    for side in [&book.bids, &book.asks] {
        for level in side.iter().take(levels) {
            out.row(level);
        }
    }
}
