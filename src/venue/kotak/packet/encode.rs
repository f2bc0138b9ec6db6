//! A packet into its bytes, as the broker would send it.

use super::{Auction, Body, Index, Level, Mini, Packet, Picture};

impl Packet {
    /// Appends the packet, as the broker would send it, to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0, 0]);
        let header = &self.header;
        out.extend_from_slice(&header.code.to_le_bytes());
        out.extend_from_slice(&[
            header.exchange,
            header.level,
            header.auction,
            header.sequence,
            header.bitmask,
        ]);
        match &self.body {
            Body::Bell => {}
            Body::Status(number, text) => {
                out.extend_from_slice(&number.to_le_bytes());
                out.extend_from_slice(text);
            }
            Body::Auction(auction) => auction.encode(out),
            Body::Index(index) => index.encode(out),
            Body::Mini(mini) => mini.encode(out),
            Body::Picture(picture) => {
                picture.encode(Level::of(header.level).unwrap_or_default(), out);
            }
        }
        let length = u16::try_from(out.len().saturating_sub(start)).unwrap_or(u16::MAX);
        let slot = out.get_mut(start..).and_then(|rest| rest.first_chunk_mut());
        if let Some(slot) = slot {
            *slot = length.to_le_bytes();
        }
    }
}

/// Appends numbers of several widths, little-endian.
macro_rules! put {
    ($out:expr, $($field:expr),* $(,)?) => { $( $out.extend_from_slice(&$field.to_le_bytes()); )* };
}

impl Auction {
    fn encode(&self, out: &mut Vec<u8>) {
        put!(
            out,
            self.token,
            self.reference,
            self.imbalance,
            self.imbalance_at_market
        );
    }
}

impl Index {
    fn encode(&self, out: &mut Vec<u8>) {
        put!(
            out, self.token, self.open, self.close, self.high, self.low, self.last, self.at
        );
        put!(out, self.year_high, self.year_low, self.change_percent);
        put!(out, self.capitalisation, self.precision, self.multiplier);
        out.extend_from_slice(&self.name);
    }
}

impl Mini {
    fn encode(&self, out: &mut Vec<u8>) {
        put!(out, self.token, self.traded_at, self.last, self.last_qty);
        put!(out, self.close, self.change_percent, self.change, self.lot);
        put!(out, self.precision, self.multiplier);
    }
}

impl Picture {
    fn encode(&self, level: Level, out: &mut Vec<u8>) {
        put!(out, self.token, self.buy_total, self.sell_total);
        put!(out, self.volume, self.traded_at, self.updated_at);
        put!(out, self.open, self.close, self.high, self.low, self.last);
        put!(out, self.last_qty, self.average, self.indicative_close);
        put!(out, self.buy_rows, self.sell_rows, self.status);
        put!(out, self.change_percent, self.open_interest, self.value);
        put!(out, self.change, self.upper_circuit, self.lower_circuit);
        put!(out, self.year_high, self.year_low, self.lot);
        put!(out, self.precision, self.multiplier);
        let (buys, sells) = self.counts(level);
        for (count, side) in [(buys, &self.buys), (sells, &self.sells)] {
            for row in side.iter().take(usize::try_from(count).unwrap_or(0)) {
                put!(out, row.quantity, row.price, row.orders);
            }
        }
    }
}
