//! Binary messages of the ticker: containers, the hot read, subscriptions (protocols/kite.md 3.1, 3.2).
//!
//! ```text
//!   u16 count │ u16 length │ packet │ u16 length │ packet │ …          1 byte alone: heartbeat
//! ```
//!
//! Promises
//! - A container is taken whole or refused whole: its lengths must add up to the frame exactly. A
//!   packet of an unknown length inside a sound container is skipped and counted, its neighbours are read.
//! - A container that is still arriving is read packet by packet only if its count and its first length make up the
//!   length of the message exactly; at the first packet of another length the rest waits, and is taken or refused
//!   whole.
//! - The check is one pass over the lengths that runs ahead of memory, because the address of the next length
//!   does not depend on the last one read while lengths repeat (bench `decode`, `open 500 packets`).
//! - [`Feed::next_quote`] reads one packet a call and moves the cursor forward or ends; it allocates nothing.

use super::Kite;
use super::packet::{self, Packet};
use crate::model::{FeedFault, Instrument, Quote, Token};
use crate::venue::{BadFrame, Cursor, FRAME_MAX, Feed, Fields, Frame, Mode, Next};
use std::fmt::Write as _;

/// Tokens one connection may subscribe; more draw an error message.
pub const TOKENS_MAX: usize = 3_000;
/// Tokens named in one subscription message.
const TOKENS_PER_MESSAGE: usize = 500;

impl Feed for Kite {
    /// Kite forgets the mode with the connection, and the one after a bare subscribe is not documented: it is always said.
    fn subscribe_messages(instruments: &[Instrument], mode: Mode) -> Vec<String> {
        let mut messages = Vec::new();
        for part in instruments.chunks(TOKENS_PER_MESSAGE) {
            let list = token_list(part);
            messages.push(format!(r#"{{"a":"subscribe","v":[{list}]}}"#));
            messages.push(format!(
                r#"{{"a":"mode","v":["{}",[{list}]]}}"#,
                mode.name()
            ));
        }
        messages
    }

    #[inline]
    fn open_frame(frame: &[u8]) -> Result<Frame, FeedFault> {
        inspect(frame).map_err(|bad| bad.fault)
    }

    #[inline]
    fn open_arriving(arrived: &[u8], length: usize) -> Option<Cursor> {
        let (count, each) = (be16(arrived, 0)?, be16(arrived, 2)?);
        let packet = usize::from(each).wrapping_add(2);
        let whole = usize::from(count).wrapping_mul(packet).wrapping_add(2);
        (count > 0 && whole == length && length <= FRAME_MAX)
            .then(|| Cursor::of_equal(2, count, each))
    }

    #[inline]
    fn next_arrived(arrived: &[u8], cursor: &mut Cursor) -> Next {
        if cursor.left == 0 {
            return Next::End;
        }
        let Some((length, rest)) = arrived
            .get(cursor.at..)
            .and_then(|rest| rest.split_first_chunk::<2>())
        else {
            return Next::NotYet;
        };
        if u16::from_be_bytes(*length) != cursor.each {
            return Next::Differs;
        }
        let Some(body) = rest.get(..usize::from(cursor.each)) else {
            return Next::NotYet;
        };
        cursor.left = cursor.left.wrapping_sub(1);
        cursor.at = cursor
            .at
            .wrapping_add(usize::from(cursor.each).wrapping_add(2));
        packet::quote(body).map_or_else(Next::Fault, Next::Quote)
    }

    fn check_rest(frame: &[u8], cursor: Cursor) -> Result<Frame, FeedFault> {
        let end = walk_from(frame, cursor.at, cursor.left).map_err(|bad| bad.fault)?;
        if end == frame.len() {
            Ok(Frame::Packets(Cursor::new(cursor.at, cursor.left)))
        } else {
            Err(FeedFault::Trailing)
        }
    }

    /// See [`packet::quote`] for the faults.
    #[inline]
    fn next_quote(frame: &[u8], cursor: &mut Cursor) -> Option<Result<Quote, FeedFault>> {
        next_body(frame, cursor).map(|body| body.and_then(packet::quote))
    }

    /// Words throughout; count and spare bytes of a level make one.
    fn fields(length: usize) -> Fields {
        Fields {
            is_big_endian: true,
            ..Fields::words(&[2], length)
        }
    }

    fn decode_whole(frame: &[u8], token: Token) -> bool {
        let Ok(Frame::Packets(mut cursor)) = Self::open_frame(frame) else {
            return false;
        };
        let mut found = false;
        while let Some(packet) = next_packet(frame, &mut cursor) {
            if let Ok(packet) = &packet {
                found |= packet.token == token;
            }
            std::hint::black_box(&packet);
        }
        found
    }

    /// The last packet is looked at where a full one would stand; nothing is decoded.
    fn ends_with(frame: &[u8], token: Token) -> bool {
        let last = frame.len().saturating_sub(FULL_PACKET);
        [FIRST_PACKET, last].into_iter().any(|at| {
            let found = frame.get(at..).and_then(|rest| rest.first_chunk());
            found.is_some_and(|found| u32::from_be_bytes(*found) == token.0)
        })
    }
}

/// As [`Feed::open_frame`], with the place of the fault.
///
/// # Errors
///
/// [`BadFrame`] with the byte, what is there and what should be.
#[inline]
pub fn inspect(frame: &[u8]) -> Result<Frame, BadFrame> {
    if let [_] = frame {
        return Ok(Frame::Heartbeat);
    }
    let (count, end) = walk(frame)?;
    if end != frame.len() {
        return Err(BadFrame::new(
            FeedFault::Trailing,
            end,
            frame.len().saturating_sub(end),
            0,
        ));
    }
    Ok(Frame::Packets(Cursor::new(2, count)))
}

/// Cuts the first container off bytes that may hold several in a row, and returns its length.
///
/// # Errors
///
/// As [`inspect`], but bytes after the container are not a fault.
pub fn frame_length(bytes: &[u8]) -> Result<usize, BadFrame> {
    if let [_] = bytes {
        return Ok(1);
    }
    let window = bytes.get(..FRAME_MAX).unwrap_or(bytes);
    walk(window).map(|(_, end)| end)
}

/// The number of packets a container announces, and the byte behind the last.
#[inline]
fn walk(frame: &[u8]) -> Result<(u16, usize), BadFrame> {
    if frame.len() > FRAME_MAX {
        return Err(BadFrame::new(
            FeedFault::Oversized,
            0,
            frame.len(),
            FRAME_MAX,
        ));
    }
    let Some(count) = be16(frame, 0) else {
        return Err(BadFrame::new(FeedFault::Truncated, 0, frame.len(), 2));
    };
    walk_from(frame, 2, count).map(|end| (count, end))
}

/// The byte behind the last of `left` packets, the first of which starts at byte `at`.
#[inline]
fn walk_from(frame: &[u8], mut at: usize, mut left: u16) -> Result<usize, BadFrame> {
    while left > 0 {
        // Only the first of a run of equal lengths is waited for; the rest are compared.
        let Some(length) = be16(frame, at) else {
            return Err(BadFrame::new(
                FeedFault::Truncated,
                at,
                frame.len().saturating_sub(at),
                2,
            ));
        };
        let step = usize::from(length).wrapping_add(2);
        while left > 0 && be16(frame, at) == Some(length) {
            at = at.wrapping_add(step);
            left = left.wrapping_sub(1);
        }
        if at > frame.len() {
            let start = at.wrapping_sub(step).wrapping_add(2);
            let found = frame.len().saturating_sub(start);
            return Err(BadFrame::new(
                FeedFault::Truncated,
                start,
                found,
                usize::from(length),
            ));
        }
    }
    Ok(at)
}

#[inline]
fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk::<2>()
        .map(|b| u16::from_be_bytes(*b))
}

/// The next packet body of a frame; `None` at its end. A cursor of another frame ends with a fault.
#[inline]
pub fn next_body<'f>(frame: &'f [u8], cursor: &mut Cursor) -> Option<Result<&'f [u8], FeedFault>> {
    cursor.left = cursor.left.checked_sub(1)?;
    let body = frame.get(cursor.at..).and_then(|rest| {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        rest.get(..usize::from(u16::from_be_bytes(*length)))
    });
    let Some(body) = body else {
        cursor.left = 0;
        return Some(Err(FeedFault::Truncated));
    };
    // One test for the common length, so that the next address does not wait for this one's load.
    let step = if body.len() == 184 {
        186
    } else {
        body.len().wrapping_add(2)
    };
    cursor.at = cursor.at.wrapping_add(step);
    Some(Ok(body))
}

/// Reads everything the next packet says; [`FeedFault::Length`] for an unknown length.
#[inline]
pub fn next_packet(frame: &[u8], cursor: &mut Cursor) -> Option<Result<Packet, FeedFault>> {
    next_body(frame, cursor).map(|body| body.and_then(Packet::decode))
}

/// A packet of full mode in bytes, and where the first one stands (count and length, two bytes each).
const FULL_PACKET: usize = 184;
const FIRST_PACKET: usize = 4;

/// Replaces `out` by the container of these packets, as the broker would send it.
///
/// At most 65 535 packets fit; the rest is left out.
pub fn encode(packets: &[Packet], out: &mut Vec<u8>) {
    out.clear();
    let count = u16::try_from(packets.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    for packet in packets.iter().take(usize::from(count)) {
        out.extend_from_slice(&packet.layout.length().to_be_bytes());
        packet.encode(out);
    }
}

fn token_list(instruments: &[Instrument]) -> String {
    let mut list = String::with_capacity(instruments.len().saturating_mul(9));
    for row in instruments {
        if !list.is_empty() {
            list.push(',');
        }
        let written = write!(list, "{}", row.token.0);
        debug_assert!(written.is_ok(), "a String takes any text");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::kite::packet::Layout;

    #[test]
    fn a_token_is_found_at_either_end_and_by_a_whole_read_anywhere() {
        for (tokens, at_an_end, anywhere) in [
            (&[7][..], true, true),
            (&[7, 1, 2], true, true),
            (&[1, 2, 7], true, true),
            (&[1, 7, 2], false, true),
            (&[1, 2, 3], false, false),
        ] {
            let packet = |token: &u32| Packet {
                token: Token(*token),
                layout: Layout::Full,
                ..Packet::default()
            };
            let packets: Vec<Packet> = tokens.iter().map(packet).collect();
            let mut frame = Vec::new();
            encode(&packets, &mut frame);
            assert_eq!(Kite::decode_whole(&frame, Token(7)), anywhere, "{tokens:?}");
            assert_eq!(Kite::ends_with(&frame, Token(7)), at_an_end, "{tokens:?}");
        }
        // A heartbeat is one byte.
        assert!(!Kite::decode_whole(&[0], Token(7)) && !Kite::ends_with(&[0], Token(7)));
    }
}
