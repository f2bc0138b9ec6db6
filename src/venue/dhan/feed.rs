//! Binary messages of the market feed: several packets end to end, the hot read, subscriptions (protocols/dhan.md 3).
//!
//! ```text
//!   code, length, segment, id │ body │ code, length, segment, id │ body │ …          8 bytes of header each
//! ```
//!
//! Promises
//! - A message is taken whole or refused whole: its packets must add up to it exactly. Known codes are walked by their
//!   own size, and a length field that says another is a lie; unknown codes are walked by the length field, counted and
//!   skipped, their neighbours are read.
//! - [`Feed::next_quote`] moves the cursor forward or ends, skips packets without a last price, and allocates nothing.

use super::Dhan;
use super::packet::{HEADER, Layout, Packet, quote};
use super::segment::{Segment, security_id};
use crate::model::{FeedFault, Instrument, Quote, Token};
use crate::venue::{Cursor, FRAME_MAX, Feed, Fields, Frame, Mode, Next};

/// Instruments one connection may watch; a user may have five connections.
pub const WATCHED_MAX: usize = 5_000;
/// Instruments named in one subscription message.
const PER_MESSAGE: usize = 100;

/// Bytes of the packet that starts at `at`.
#[inline]
pub(super) fn size_at(frame: &[u8], at: usize) -> Result<usize, FeedFault> {
    let rest = frame.get(at..).unwrap_or_default();
    let Some(&[code, low, high, ..]) = rest.first_chunk::<HEADER>() else {
        return Err(FeedFault::Truncated);
    };
    let told = usize::from(u16::from_le_bytes([low, high]));
    let size = match Layout::of(code) {
        Some(layout) => {
            let size = usize::from(layout.size());
            // The documentation may mean the length without the header; nobody has seen it on the wire.
            if told != size && told.wrapping_add(HEADER) != size {
                return Err(FeedFault::Length);
            }
            size
        }
        None if told >= HEADER => told,
        None => return Err(FeedFault::Length),
    };
    if size > rest.len() {
        return Err(FeedFault::Truncated);
    }
    Ok(size)
}

impl Feed for Dhan {
    /// A hundred instruments in each message; ids are texts.
    fn subscribe_messages(instruments: &[Instrument], mode: Mode) -> Vec<String> {
        let code = match mode {
            Mode::Ltp => 15,
            Mode::Quote => 17,
            Mode::Full => 21,
        };
        requests(instruments, code)
    }

    #[inline]
    fn open_frame(frame: &[u8]) -> Result<Frame, FeedFault> {
        if frame.len() > FRAME_MAX {
            return Err(FeedFault::Oversized);
        }
        let count = walk(frame, 0)?;
        if count == 0 {
            return Err(FeedFault::Truncated);
        }
        Ok(Frame::Packets(Cursor::new(0, count)))
    }

    /// No head says what a message holds. Vouched for is therefore one whose first packet is of a known kind and could
    /// fill it: so many of its size make up the length. In full mode that is every message; quotes with open interest in
    /// between wait until all is here. Each further packet still has to say itself what it is.
    #[inline]
    fn open_arriving(arrived: &[u8], length: usize) -> Option<Cursor> {
        let each = known_size(arrived)?;
        let count = length.checked_div(usize::from(each))?;
        let fills = count.checked_mul(usize::from(each)) == Some(length);
        let count = u16::try_from(count).ok().filter(|count| *count > 0)?;
        (fills && length <= FRAME_MAX).then(|| Cursor::of_equal(0, count, each))
    }

    #[inline]
    fn next_arrived(arrived: &[u8], cursor: &mut Cursor) -> Next {
        while cursor.left > 0 {
            let rest = arrived.get(cursor.at..).unwrap_or_default();
            if rest.len() < HEADER {
                return Next::NotYet;
            }
            if known_size(rest) != Some(cursor.each) {
                return Next::Differs;
            }
            let Some(body) = rest.get(..usize::from(cursor.each)) else {
                return Next::NotYet;
            };
            cursor.left = cursor.left.wrapping_sub(1);
            cursor.at = cursor.at.wrapping_add(body.len());
            match quote(body) {
                Some(Ok(quote)) => return Next::Quote(quote),
                Some(Err(fault)) => return Next::Fault(fault),
                None => {}
            }
        }
        Next::End
    }

    fn check_rest(frame: &[u8], cursor: Cursor) -> Result<Frame, FeedFault> {
        let count = walk(frame, cursor.at)?;
        Ok(Frame::Packets(Cursor::new(cursor.at, count)))
    }

    /// Packets without a last price are passed over; see [`quote`] for the faults.
    #[inline]
    fn next_quote(frame: &[u8], cursor: &mut Cursor) -> Option<Result<Quote, FeedFault>> {
        loop {
            match next_body(frame, cursor)? {
                Ok(body) => {
                    if let Some(quote) = quote(body) {
                        return Some(quote);
                    }
                }
                Err(fault) => return Some(Err(fault)),
            }
        }
    }

    /// In a long packet the last quantity is the one half word. Numbers of orders, two of which make a word, need none of
    /// their own.
    fn fields(length: usize) -> Fields {
        let is_long = length >= usize::from(Layout::Quote.size());
        let front: &[u8] = if is_long {
            &[1, 2, 1, 4, 4, 2]
        } else {
            &[1, 2, 1]
        };
        Fields::words(front, length)
    }

    fn decode_whole(frame: &[u8], token: Token) -> bool {
        let Ok(Frame::Packets(mut cursor)) = Self::open_frame(frame) else {
            return false;
        };
        let mut found = false;
        while let Some(packet) = next_packet(frame, &mut cursor) {
            found |= packet.is_ok_and(|packet| packet.token() == Some(token));
            std::hint::black_box(&packet);
        }
        found
    }

    /// The last packet is looked at where a full one would stand; nothing is decoded.
    fn ends_with(frame: &[u8], token: Token) -> bool {
        let last = frame.len().saturating_sub(usize::from(Layout::Full.size()));
        [0, last].into_iter().any(|at| {
            let rest = frame.get(at..).unwrap_or_default();
            let Some(&[_, _, _, segment, a, b, c, d]) = rest.first_chunk::<HEADER>() else {
                return false;
            };
            let id = u32::from_le_bytes([a, b, c, d]);
            Segment::of(segment).and_then(|segment| segment.token(id)) == Some(token)
        })
    }
}

/// The number of packets from byte `at` to the end, when they add up.
#[inline]
fn walk(frame: &[u8], mut at: usize) -> Result<u16, FeedFault> {
    let mut count = 0_u16;
    while at < frame.len() {
        at = at.wrapping_add(size_at(frame, at)?);
        count = count.checked_add(1).ok_or(FeedFault::Oversized)?;
    }
    Ok(count)
}

/// The size of the packet at the front, when its code is known and its length field agrees.
#[inline]
fn known_size(bytes: &[u8]) -> Option<u16> {
    let &[code, low, high, ..] = bytes.first_chunk::<HEADER>()?;
    let size = Layout::of(code)?.size();
    let told = u16::from_le_bytes([low, high]);
    (told == size || told.wrapping_add(8) == size).then_some(size)
}

/// The next packet of a frame; `None` at its end. A cursor of another frame ends with a fault.
#[inline]
pub fn next_body<'f>(frame: &'f [u8], cursor: &mut Cursor) -> Option<Result<&'f [u8], FeedFault>> {
    cursor.left = cursor.left.checked_sub(1)?;
    let body = size_at(frame, cursor.at).map(|size| {
        let end = cursor.at.wrapping_add(size);
        frame.get(cursor.at..end).unwrap_or_default()
    });
    match body {
        Ok(body) => cursor.at = cursor.at.wrapping_add(body.len()),
        Err(_) => cursor.left = 0,
    }
    Some(body)
}

/// Reads everything the next packet says; [`FeedFault::Length`] for an unknown code.
#[inline]
pub fn next_packet(frame: &[u8], cursor: &mut Cursor) -> Option<Result<Packet, FeedFault>> {
    next_body(frame, cursor).map(|body| body.and_then(Packet::decode))
}

/// Why the broker ends the connection, if a message says so: 805 too many connections, 806 not subscribed to data, 807
/// token expired, 808 not authenticated, 809 token invalid.
pub fn disconnect_reason(frame: &[u8]) -> Option<u16> {
    let Ok(Frame::Packets(mut cursor)) = Dhan::open_frame(frame) else {
        return None;
    };
    let mut packets = std::iter::from_fn(|| next_packet(frame, &mut cursor));
    packets.find_map(|packet| {
        let packet = packet.ok()?;
        (packet.layout == Layout::Disconnect).then_some(packet.reason)
    })
}

fn requests(instruments: &[Instrument], code: u8) -> Vec<String> {
    let named = |row: &Instrument| {
        format!(
            r#"{{"ExchangeSegment":"{}","SecurityId":"{}"}}"#,
            Segment::for_instrument(row).name(),
            security_id(row.token)
        )
    };
    let message = |part: &[Instrument]| {
        let list: Vec<String> = part.iter().map(named).collect();
        format!(
            r#"{{"RequestCode":{code},"InstrumentCount":{},"InstrumentList":[{}]}}"#,
            part.len(),
            list.join(",")
        )
    };
    instruments.chunks(PER_MESSAGE).map(message).collect()
}
