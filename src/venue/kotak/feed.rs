//! Binary messages of the SFeed: packets end to end, the hot read, subscriptions (protocols/kotak-neo.md, section 4).
//!
//! ```text
//!   u16 length … │ u16 length … │ u16 length … │        the length counts itself and the rest of its packet
//! ```
//!
//! Promises
//! - A message is taken whole or refused whole: the lengths of its packets must add up to it exactly. Packets of unknown
//!   code and level are counted and skipped, their neighbours are read.
//! - A message that is still arriving is read packet by packet only if so many packets of the first one's length fill it
//!   exactly; at the first packet of another length the rest waits, and is taken or refused whole.
//! - [`Feed::next_quote`] moves the cursor forward or ends, skips packets without a last price, and allocates nothing.

use super::Kotak;
use super::packet::{HEADER, Packet, ROWS, quote};
use super::segment::neo_symbol;
use crate::model::{FeedFault, Instrument, Kind, Quote, Token};
use crate::venue::{Cursor, FRAME_MAX, Feed, Fields, Frame, Mode, Next};

/// Instruments one connection may watch, over all kinds of subscriptions.
pub const WATCHED_MAX: usize = 3_000;
/// Instruments named in one subscription message.
const PER_MESSAGE: usize = 200;

/// Length the packet at a byte claims, header included; `None` behind the end.
#[inline]
pub(super) fn length_at(frame: &[u8], at: usize) -> Option<usize> {
    let length = frame.get(at..)?.first_chunk()?;
    Some(usize::from(u16::from_le_bytes(*length)))
}

/// Counts the packets from `at` to the end of the frame, which they must fill.
#[inline]
fn count_from(frame: &[u8], mut at: usize) -> Result<u16, FeedFault> {
    let mut count = 0_u16;
    while at < frame.len() {
        let length = length_at(frame, at).ok_or(FeedFault::Trailing)?;
        if length < HEADER {
            return Err(FeedFault::Length);
        }
        // Lengths mostly repeat: the next address does not wait for its own length.
        while length_at(frame, at) == Some(length) {
            at = at.wrapping_add(length);
            count = count.checked_add(1).ok_or(FeedFault::Oversized)?;
        }
    }
    if at == frame.len() {
        Ok(count)
    } else {
        Err(FeedFault::Truncated)
    }
}

impl Feed for Kotak {
    /// Contracts by number, indices by name. The server forgets them with the connection.
    fn subscribe_messages(instruments: &[Instrument], mode: Mode) -> Vec<String> {
        let (indices, contracts): (Vec<_>, Vec<_>) =
            instruments.iter().partition(|row| row.kind == Kind::Index);
        let mut messages = Vec::new();
        for (rows, event) in [(contracts, event(mode)), (indices, "Indices")] {
            for part in rows.chunks(PER_MESSAGE) {
                let list: Vec<String> = part.iter().map(|row| neo_symbol(row)).collect();
                // Symbols of the master may hold any sign: a text of JSON, not of ours.
                let list = serde_json::Value::String(list.join(","));
                messages.push(format!(
                    r#"{{"event":"subscribe{event}","inputtoken":{list},"ack_symbol":true}}"#
                ));
            }
        }
        messages
    }

    #[inline]
    fn open_frame(frame: &[u8]) -> Result<Frame, FeedFault> {
        if frame.len() > FRAME_MAX {
            return Err(FeedFault::Oversized);
        }
        match count_from(frame, 0)? {
            0 => Err(FeedFault::Truncated),
            count => Ok(Frame::Packets(Cursor::new(0, count))),
        }
    }

    #[inline]
    fn open_arriving(arrived: &[u8], length: usize) -> Option<Cursor> {
        let each = length_at(arrived, 0)?;
        let count = length.checked_div(each)?;
        let fills = each >= HEADER && count.checked_mul(each)? == length && length <= FRAME_MAX;
        let (count, each) = (u16::try_from(count).ok()?, u16::try_from(each).ok()?);
        (fills && count > 0).then(|| Cursor::of_equal(0, count, each))
    }

    #[inline]
    fn next_arrived(arrived: &[u8], cursor: &mut Cursor) -> Next {
        while cursor.left > 0 {
            let each = usize::from(cursor.each);
            match length_at(arrived, cursor.at) {
                None => return Next::NotYet,
                Some(length) if length != each => return Next::Differs,
                Some(_) => {}
            }
            let rest = arrived.get(cursor.at..).unwrap_or_default();
            let Some(bytes) = rest.get(..each) else {
                return Next::NotYet;
            };
            cursor.left = cursor.left.wrapping_sub(1);
            cursor.at = cursor.at.wrapping_add(each);
            if let Some(quote) = quote(bytes) {
                return quote.map_or_else(Next::Fault, Next::Quote);
            }
        }
        Next::End
    }

    fn check_rest(frame: &[u8], cursor: Cursor) -> Result<Frame, FeedFault> {
        let count = count_from(frame, cursor.at)?;
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

    fn fields(length: usize) -> Fields {
        let front = if length >= ROWS {
            &PICTURE[..]
        } else {
            &PICTURE[..7]
        };
        Fields::words(front, length)
    }

    fn decode_whole(frame: &[u8], token: Token) -> bool {
        let Ok(Frame::Packets(mut cursor)) = Self::open_frame(frame) else {
            return false;
        };
        let mut found = false;
        while let Some(packet) = next_packet(frame, &mut cursor) {
            if let Ok(packet) = &packet {
                found |= packet.token() == Some(token);
            }
            std::hint::black_box(&packet);
        }
        found
    }

    /// The last packet is looked at where one as long as the first would stand; only its number is read.
    fn ends_with(frame: &[u8], token: Token) -> bool {
        let Some(each) = length_at(frame, 0) else {
            return false;
        };
        let last = frame.len().saturating_sub(each);
        [0, last].into_iter().any(|at| {
            let bytes = frame.get(at..).unwrap_or_default();
            bytes.get(..each).and_then(token_of) == Some(token)
        })
    }
}

/// The next packet of a frame; `None` at its end. A cursor of another frame ends with a fault.
#[inline]
pub fn next_body<'f>(frame: &'f [u8], cursor: &mut Cursor) -> Option<Result<&'f [u8], FeedFault>> {
    cursor.left = cursor.left.checked_sub(1)?;
    let body = length_at(frame, cursor.at).and_then(|length| {
        let rest = frame.get(cursor.at..)?;
        rest.get(..length).filter(|_| length >= HEADER)
    });
    let Some(body) = body else {
        cursor.left = 0;
        return Some(Err(FeedFault::Truncated));
    };
    cursor.at = cursor.at.wrapping_add(body.len());
    Some(Ok(body))
}

/// The numbers of a packet's header, and of a market picture up to its rows, which are words.
const PICTURE: [u8; 35] = [
    2, 2, 1, 1, 1, 1, 1, 4, 8, 8, 8, 8, 8, 4, 4, 4, 4, 4, 8, 4, 4, 4, 4, 2, 4, 4, 8, 4, 4, 4, 4, 4,
    4, 1, 4,
];

/// Reads everything the next packet says; [`FeedFault::Length`] for an unknown one.
#[inline]
pub fn next_packet(frame: &[u8], cursor: &mut Cursor) -> Option<Result<Packet, FeedFault>> {
    next_body(frame, cursor).map(|body| body.and_then(Packet::decode))
}

/// Segment and number of a packet about a contract.
fn token_of(bytes: &[u8]) -> Option<Token> {
    let number = bytes.get(HEADER..)?.first_chunk()?;
    super::segment::Segment::of(*bytes.get(4)?)?.token(u32::from_le_bytes(*number))
}

/// Replaces `out` by the message of these packets, as the broker would send it.
pub fn encode(packets: &[Packet], out: &mut Vec<u8>) {
    out.clear();
    for packet in packets {
        packet.encode(out);
    }
}

/// What a mode is called in requests.
const fn event(mode: Mode) -> &'static str {
    match mode {
        Mode::Ltp => "ScripsLite",
        Mode::Quote => "Scrips",
        Mode::Full => "Depth",
    }
}
