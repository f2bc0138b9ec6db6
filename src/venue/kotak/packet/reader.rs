//! A packet out of its bytes: every field, one behind the other.

use super::{Auction, Body, DEPTH_MAX, Header, Index, Level, Mini, Packet, Picture, Row, code};
use crate::model::FeedFault;

/// Reads little-endian fields one behind the other.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    #[inline]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
    #[inline]
    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }
    #[inline]
    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }
    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_le_bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_le_bytes)
    }
    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
    fn f64(&mut self) -> Option<f64> {
        self.take().map(f64::from_le_bytes)
    }

    #[inline]
    pub(super) fn header(&mut self) -> Option<Header> {
        Some(Header {
            code: self.u16()?,
            exchange: self.u8()?,
            level: self.u8()?,
            auction: self.u8()?,
            sequence: self.u8()?,
            bitmask: self.u8()?,
        })
    }

    fn mini(&mut self) -> Option<Mini> {
        Some(Mini {
            token: self.u32()?,
            traded_at: self.i64()?,
            last: self.u32()?,
            last_qty: self.i64()?,
            close: self.u32()?,
            change_percent: self.i32()?,
            change: self.i32()?,
            lot: self.u32()?,
            precision: self.u8()?,
            multiplier: self.u32()?,
        })
    }

    fn index(&mut self) -> Option<Index> {
        Some(Index {
            token: self.u32()?,
            open: self.i32()?,
            close: self.i32()?,
            high: self.i32()?,
            low: self.i32()?,
            last: self.i32()?,
            at: self.u64()?,
            year_high: self.i32()?,
            year_low: self.i32()?,
            change_percent: self.i32()?,
            capitalisation: self.f64()?,
            precision: self.u8()?,
            multiplier: self.i32()?,
            name: self.take()?,
        })
    }

    fn auction(&mut self) -> Option<Auction> {
        Some(Auction {
            token: self.u32()?,
            reference: self.u32()?,
            imbalance: self.i64()?,
            imbalance_at_market: self.i64()?,
        })
    }

    fn picture(&mut self) -> Option<Picture> {
        Some(Picture {
            token: self.u32()?,
            buy_total: self.i64()?,
            sell_total: self.i64()?,
            volume: self.i64()?,
            traded_at: self.i64()?,
            updated_at: self.i64()?,
            open: self.u32()?,
            close: self.u32()?,
            high: self.u32()?,
            low: self.u32()?,
            last: self.u32()?,
            last_qty: self.i64()?,
            average: self.u32()?,
            indicative_close: self.u32()?,
            buy_rows: self.u32()?,
            sell_rows: self.u32()?,
            status: self.i16()?,
            change_percent: self.i32()?,
            open_interest: self.u32()?,
            value: self.f64()?,
            change: self.i32()?,
            upper_circuit: self.u32()?,
            lower_circuit: self.u32()?,
            year_high: self.u32()?,
            year_low: self.u32()?,
            lot: self.u32()?,
            precision: self.u8()?,
            multiplier: self.u32()?,
            ..Picture::default()
        })
    }

    fn row(&mut self) -> Option<Row> {
        Some(Row {
            quantity: self.i64()?,
            price: self.i32()?,
            orders: self.i32()?,
        })
    }

    /// Rows as far as they go; more than [`DEPTH_MAX`] of a side are passed over.
    fn rows(&mut self, count: u32, side: &mut [Row; DEPTH_MAX]) {
        let mut slots = side.iter_mut();
        for _ in 0..count {
            let Some(row) = self.row() else {
                return;
            };
            if let Some(slot) = slots.next() {
                *slot = row;
            }
        }
    }
}

/// What a packet of this code and level is.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Bell,
    Status,
    Auction,
    Index,
    Mini,
    Picture(Level),
}

impl Header {
    #[inline]
    pub(super) const fn shape(self) -> Option<Shape> {
        Some(match self.code {
            code::OPEN | code::CLOSE => Shape::Bell,
            code::STATUS => Shape::Status,
            code::AUCTION => Shape::Auction,
            code::INDEX => Shape::Index,
            _ => match Level::of(self.level) {
                Some(Level::Mini) => Shape::Mini,
                Some(level) => Shape::Picture(level),
                None => return None,
            },
        })
    }
}

impl Packet {
    /// Decodes one whole packet, header included.
    ///
    /// # Errors
    ///
    /// [`FeedFault::Length`] when neither code nor level is known, or the packet is shorter than what it is.
    pub fn decode(bytes: &[u8]) -> Result<Self, FeedFault> {
        Self::read(bytes).ok_or(FeedFault::Length)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        reader.u16()?;
        let header = reader.header()?;
        let body = match header.shape()? {
            Shape::Bell => Body::Bell,
            Shape::Status => Body::Status(reader.u16()?, reader.take()?),
            Shape::Auction => Body::Auction(reader.auction()?),
            Shape::Index => Body::Index(reader.index()?),
            Shape::Mini => Body::Mini(reader.mini()?),
            Shape::Picture(level) => {
                let mut picture = reader.picture()?;
                let (buys, sells) = picture.counts(level);
                reader.rows(buys, &mut picture.buys);
                reader.rows(sells, &mut picture.sells);
                Body::Picture(picture)
            }
        };
        Some(Self { header, body })
    }
}
