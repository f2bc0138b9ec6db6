//! The 20-level depth feed, a connection of its own (protocols/dhan.md 3.6).
//!
//! Promises
//! - Bid and ask messages of several instruments stand end to end; each is 332 bytes, and a message that does not add up is
//!   refused whole.
//! - Prices are float64 here: they are rounded to 1/10 000 rupee.

use super::segment::Segment;
use crate::model::{FeedFault, Price, Side, Token};
use crate::venue::FRAME_MAX;

/// Levels of one side.
pub const LEVELS: usize = 20;
/// Bytes of the header.
const HEADER: usize = 12;
/// Bytes of one side of one instrument.
pub const SIDE_SIZE: usize = HEADER + LEVELS * 16;
/// The code of the message that ends the connection.
const DISCONNECT: u8 = 50;

/// One level of the order book. All zero when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DepthLevel {
    /// Price.
    pub price: Price,
    /// Units offered.
    pub quantity: u32,
    /// Number of orders.
    pub orders: u32,
}

/// One side of one instrument's book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthSide {
    /// Segment and number.
    pub token: Token,
    /// Bids are `Buy`, asks are `Sell`.
    pub side: Side,
    /// Best first.
    pub levels: [DepthLevel; LEVELS],
}

/// Reads a message and hands every side to `read`.
///
/// # Errors
///
/// [`FeedFault`]; what stands in front of a fault was handed on only when the fault is a price, a segment or the
/// broker's [`FeedFault::Disconnected`].
pub fn read_depth(frame: &[u8], mut read: impl FnMut(&DepthSide)) -> Result<(), FeedFault> {
    if frame.len() > FRAME_MAX {
        return Err(FeedFault::Oversized);
    }
    let mut rest = frame;
    while !rest.is_empty() {
        rest = split(rest)?.1;
    }
    rest = frame;
    while let Ok((part, after)) = split(rest) {
        read(&side(part)?);
        rest = after;
    }
    Ok(())
}

/// The first message and what follows it.
pub(super) fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), FeedFault> {
    let Some(&[low, high, code, ..]) = bytes.first_chunk::<HEADER>() else {
        return Err(FeedFault::Truncated);
    };
    let told = usize::from(u16::from_le_bytes([low, high]));
    let fits = match code {
        41 | 51 => told == SIDE_SIZE,
        DISCONNECT => told >= HEADER,
        _ => false,
    };
    if !fits {
        return Err(FeedFault::Length);
    }
    bytes.split_at_checked(told).ok_or(FeedFault::Truncated)
}

pub(super) fn side(part: &[u8]) -> Result<DepthSide, FeedFault> {
    let Some((&[_, _, code, segment, a, b, c, d, ..], rows)) = part.split_first_chunk::<HEADER>()
    else {
        return Err(FeedFault::Truncated);
    };
    let side = match code {
        41 => Side::Buy,
        51 => Side::Sell,
        _ => return Err(FeedFault::Disconnected),
    };
    let segment = Segment::of(segment).ok_or(FeedFault::Segment)?;
    let token = segment.token(u32::from_le_bytes([a, b, c, d]));
    let mut depth = DepthSide {
        token: token.ok_or(FeedFault::Segment)?,
        side,
        levels: [DepthLevel::default(); LEVELS],
    };
    for (level, row) in depth.levels.iter_mut().zip(rows.as_chunks::<16>().0) {
        let &[
            p0,
            p1,
            p2,
            p3,
            p4,
            p5,
            p6,
            p7,
            q0,
            q1,
            q2,
            q3,
            o0,
            o1,
            o2,
            o3,
        ] = row;
        let rupees = f64::from_le_bytes([p0, p1, p2, p3, p4, p5, p6, p7]);
        if !(0.0..1e9).contains(&rupees) {
            return Err(FeedFault::Price);
        }
        *level = DepthLevel {
            price: Price::from_rupees_f64(rupees),
            quantity: u32::from_le_bytes([q0, q1, q2, q3]),
            orders: u32::from_le_bytes([o0, o1, o2, o3]),
        };
    }
    Ok(depth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(code: u8, id: u32, first: f64) -> Vec<u8> {
        let mut bytes = 332_u16.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[code, 2]);
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(&7_u32.to_le_bytes());
        for level in 0..20_u32 {
            bytes.extend_from_slice(&(first + f64::from(level) * 0.05).to_le_bytes());
            bytes.extend_from_slice(&(75 + level).to_le_bytes());
            bytes.extend_from_slice(&(level + 1).to_le_bytes());
        }
        bytes
    }

    fn sides(frame: &[u8]) -> (Vec<DepthSide>, Result<(), FeedFault>) {
        let mut read = Vec::new();
        let outcome = read_depth(frame, |side| read.push(*side));
        (read, outcome)
    }

    #[test]
    fn bids_and_asks_of_several_instruments_in_one_message_are_told_apart() {
        let frame = [message(41, 49_081, 101.05), message(51, 49_082, 102.0)].concat();
        let (read, outcome) = sides(&frame);
        assert_eq!((read.len(), outcome), (2, Ok(())));
        assert_eq!((read[0].side, read[1].side), (Side::Buy, Side::Sell));
        assert_eq!(Some(read[1].token), Segment::NseFno.token(49_082));
        let last = read[0].levels[19];
        assert_eq!(
            (last.price, last.quantity, last.orders),
            (Price(1_020_000), 94, 20)
        );
    }

    #[test]
    fn what_does_not_add_up_is_refused_before_anything_is_read() {
        let good = message(41, 1, 1.0);
        let mut lying = good.clone();
        lying[0] = 0;
        for (tail, fault) in [
            (&good[..331], FeedFault::Truncated),
            (&good[..11], FeedFault::Truncated),
            (&lying, FeedFault::Length),
        ] {
            let frame = [&good, tail].concat();
            assert_eq!(sides(&frame), (Vec::new(), Err(fault)));
        }
        let goodbye = [14, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x27, 0x03];
        let (read, outcome) = sides(&[good, goodbye.to_vec()].concat());
        assert_eq!((read.len(), outcome), (1, Err(FeedFault::Disconnected)));
    }

    #[test]
    fn what_is_no_price_of_depth_is_refused() {
        for wrong in [-1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(
                sides(&message(51, 1, wrong)).1,
                Err(FeedFault::Price),
                "{wrong}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_depth_bytes_are_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..800)) {
            prop_assert!(sides(&bytes).1.is_err() || bytes.is_empty());
        }
    }
}
