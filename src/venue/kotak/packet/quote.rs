//! The hot read: what strategies need of a packet, by its place in the bytes.

use super::reader::{Reader, Shape};
use super::{AUCTION, HEADER, Header, INDEX, Level, MINI, ROW, ROWS, STATUS, TOUCH, code};
use crate::model::{FeedFault, Quote, WallNanos};
use crate::venue::kotak::segment::{NAME_MAX, Segment, index_token};

/// Fields of a market picture the hot read needs, by their place in the packet.
mod at {
    pub(super) const EXCHANGE: usize = 4;
    pub(super) const LEVEL: usize = 5;
    pub(super) const TOKEN: usize = 9;
    pub(super) const MINI_LAST: usize = 21;
    pub(super) const INDEX_LAST: usize = 29;
    pub(super) const INDEX_TIME: usize = 33;
    pub(super) const INDEX_NAME: usize = 66;
    pub(super) const VOLUME: usize = 29;
    pub(super) const UPDATED: usize = 45;
    pub(super) const LAST: usize = 69;
    pub(super) const BUY_ROWS: usize = 89;
    pub(super) const SELL_ROWS: usize = 93;
}

/// The number at a byte; zero behind the end, which callers of a checked length never reach.
#[inline]
fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk());
    field.copied().unwrap_or([0; N])
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(number(bytes, at))
}

#[inline]
fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(number(bytes, at))
}

/// A time of the feed; zero for none.
///
/// Seconds since 1970, as far as known; what is too large for that is read as milliseconds, and what is no time of this
/// century as none.
#[inline]
pub const fn time(raw: i64) -> WallNanos {
    const SECONDS: std::ops::Range<i64> = 946_684_800..4_102_444_800;
    if raw >= SECONDS.start && raw < SECONDS.end {
        return WallNanos::from_secs(raw);
    }
    let millis = raw / 1_000;
    if millis >= SECONDS.start && millis < SECONDS.end {
        return WallNanos(raw.saturating_mul(1_000_000));
    }
    WallNanos(0)
}

/// Reads what strategies need of a packet; `None` for one that carries no last price.
///
/// # Errors
///
/// [`FeedFault::Length`] when neither code nor level is known, or the packet is shorter than what it is,
/// [`FeedFault::Segment`] for an unknown exchange id or a number beyond 28 bits, [`FeedFault::Price`] for a last price
/// that is not above zero and any price finer than 1/10 000 rupee.
#[inline]
pub fn quote(bytes: &[u8]) -> Option<Result<Quote, FeedFault>> {
    if let Ok(touch) = <&[u8; TOUCH]>::try_from(bytes)
        && touch.get(at::LEVEL) == Some(&4)
        && u16::from_le_bytes(number(touch, 2)) == code::PICTURE
    {
        return Some(pictured(touch, Some(ROWS), Some(ROWS + ROW)));
    }
    uncommon(bytes)
}

/// Everything but a touch line under its usual code.
#[inline(never)]
fn uncommon(bytes: &[u8]) -> Option<Result<Quote, FeedFault>> {
    let shape = Reader(bytes.get(2..).unwrap_or_default())
        .header()
        .and_then(Header::shape);
    let needed = match shape {
        Some(Shape::Bell) => HEADER,
        Some(Shape::Status) => STATUS,
        Some(Shape::Auction) => AUCTION,
        Some(Shape::Index) => INDEX,
        Some(Shape::Mini) => MINI,
        Some(Shape::Picture(_)) => ROWS,
        None => return Some(Err(FeedFault::Length)),
    };
    if bytes.len() < needed {
        return Some(Err(FeedFault::Length));
    }
    Some(match shape {
        Some(Shape::Bell | Shape::Status | Shape::Auction) => return None,
        Some(Shape::Index) => index_quote(bytes),
        Some(Shape::Picture(Level::Touch)) => pictured(bytes, Some(ROWS), Some(ROWS + ROW)),
        Some(Shape::Picture(_)) => {
            // A side without rows has no best one; sellers stand behind the buyers.
            let behind = usize::try_from(u32_at(bytes, at::BUY_ROWS))
                .ok()
                .and_then(|rows| rows.checked_mul(ROW)?.checked_add(ROWS));
            let sell = behind.filter(|_| u32_at(bytes, at::SELL_ROWS) > 0);
            let buy = Some(ROWS).filter(|_| behind != Some(ROWS));
            pictured(bytes, buy, sell)
        }
        _ => priced(bytes, i64::from(u32_at(bytes, at::MINI_LAST))).map(|(quote, _)| quote),
    })
}

/// Token and last price of a packet about a contract.
#[inline]
fn priced(bytes: &[u8], last: i64) -> Result<(Quote, Segment), FeedFault> {
    let id = bytes.get(at::EXCHANGE).copied().unwrap_or(0);
    let segment = Segment::of(id).ok_or(FeedFault::Segment)?;
    let token = segment.token(u32_at(bytes, at::TOKEN));
    let quote = Quote {
        token: token.ok_or(FeedFault::Segment)?,
        last: segment
            .price(last)
            .filter(|price| price.0 > 0)
            .ok_or(FeedFault::Price)?,
        ..Quote::default()
    };
    Ok((quote, segment))
}

/// A market picture whose best rows stand at these bytes.
#[inline]
fn pictured(bytes: &[u8], buy: Option<usize>, sell: Option<usize>) -> Result<Quote, FeedFault> {
    let (mut quote, segment) = priced(bytes, i64::from(u32_at(bytes, at::LAST)))?;
    // A row that is not all there is none.
    let best = |row: Option<usize>| {
        let row = row.and_then(|row| bytes.get(row..)?.first_chunk::<ROW>());
        let raw = row.map_or(0, |row| i32::from_le_bytes(number(row, 8)));
        segment.price(i64::from(raw)).ok_or(FeedFault::Price)
    };
    quote.bid = best(buy)?;
    quote.ask = best(sell)?;
    let volume = i64_at(bytes, at::VOLUME).max(0);
    quote.volume_day = u32::try_from(volume).unwrap_or(u32::MAX);
    quote.exchange_time = time(i64_at(bytes, at::UPDATED));
    Ok(quote)
}

/// An index: known by its name, whatever number it has.
fn index_quote(bytes: &[u8]) -> Result<Quote, FeedFault> {
    let id = bytes.get(at::EXCHANGE).copied().unwrap_or(0);
    let segment = Segment::of(id).ok_or(FeedFault::Segment)?;
    let raw = i32::from_le_bytes(number(bytes, at::INDEX_LAST));
    let last = segment.price(i64::from(raw)).filter(|price| price.0 > 0);
    Ok(Quote {
        token: index_token(&number::<NAME_MAX>(bytes, at::INDEX_NAME)),
        last: last.ok_or(FeedFault::Price)?,
        exchange_time: time(i64_at(bytes, at::INDEX_TIME)),
        ..Quote::default()
    })
}
