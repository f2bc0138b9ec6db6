//! Kite's binary packets, written from the field table of the protocol notes (section 3.3).
//!
//! Shares nothing with the decoder: two readings of one table check each other.

use crate::model::{Instrument, Price, WallNanos};
use crate::sim::market::{Book, Level};
use crate::sim::wire::Mode;
use tungstenite::Bytes;

/// One packet, longest form.
pub(crate) struct Packet {
    bytes: [u8; 184],
    tradable: bool,
}

struct Writer<'a> {
    bytes: &'a mut [u8; 184],
    at: usize,
}

impl Writer<'_> {
    fn word(&mut self, value: u32) {
        self.bytes[self.at..self.at + 4].copy_from_slice(&value.to_be_bytes());
        self.at += 4;
    }

    fn paise(&mut self, price: Price) {
        self.word(u32::try_from(price.0 / 100).unwrap_or(0));
    }

    fn time(&mut self, at: WallNanos) {
        self.word(u32::try_from(at.secs()).unwrap_or(0));
    }

    fn count(&mut self, value: u64) {
        self.word(u32::try_from(value).unwrap_or(u32::MAX));
    }

    fn level(&mut self, level: &Level) {
        self.word(level.qty);
        self.paise(level.price);
        self.bytes[self.at..self.at + 2].copy_from_slice(&level.orders.to_be_bytes());
        self.at += 4;
    }
}

impl Packet {
    /// Writes what an instrument shows now.
    pub(crate) fn of(row: &Instrument, book: &Book) -> Self {
        let tradable = row.is_tradable();
        let mut bytes = [0; 184];
        let mut out = Writer {
            bytes: &mut bytes,
            at: 0,
        };
        out.word(row.token.0);
        out.paise(book.last);
        if tradable {
            Self::contract(&mut out, book);
        } else {
            // An index has high and low before open, and the change in its own unit.
            out.paise(book.high);
            out.paise(book.low);
            out.paise(book.open);
            out.paise(book.previous);
            out.paise(book.last.distance(book.previous));
            out.time(book.at);
        }
        Self { bytes, tradable }
    }

    fn contract(out: &mut Writer<'_>, book: &Book) {
        use crate::model::Side;
        out.word(book.last_qty);
        out.paise(book.average());
        out.count(book.volume);
        out.count(book.waiting(Side::Buy));
        out.count(book.waiting(Side::Sell));
        out.paise(book.open);
        out.paise(book.high);
        out.paise(book.low);
        out.paise(book.previous);
        out.time(book.last_trade);
        out.word(book.oi);
        out.word(book.oi_high);
        out.word(book.oi_low);
        out.time(book.at);
        for level in book.bids.iter().chain(&book.asks) {
            out.level(level);
        }
    }

    /// The bytes of a mode.
    pub(crate) fn bytes(&self, mode: Mode) -> &[u8] {
        let length = match (mode, self.tradable) {
            (Mode::Ltp, _) => 8,
            (Mode::Quote, true) => 44,
            (Mode::Full, true) => 184,
            (Mode::Quote, false) => 28,
            (Mode::Full, false) => 32,
        };
        &self.bytes[..length]
    }
}

/// A container under construction: count, then length and body of each packet.
pub(crate) struct Container {
    bytes: Vec<u8>,
    count: u16,
}

impl Container {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0, 0],
            count: 0,
        }
    }

    pub(crate) fn add(&mut self, packet: &[u8]) {
        let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(packet);
        self.count += 1;
        self.bytes[..2].copy_from_slice(&self.count.to_be_bytes());
    }

    pub(crate) const fn count(&self) -> u16 {
        self.count
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }
}
