//! Full packets of different instruments as Kite sends them.

use tezi::model::Token;
use tezi::venue::kite::feed;
use tezi::venue::kite::packet::{Layout, Level, Packet};

/// Packets of the largest frame a busy connection sends (93 002 bytes).
pub(crate) const PACKETS: u32 = 500;

/// The token of an instrument by number.
pub(crate) const fn token(number: u32) -> Token {
    Token((40_000 + number) << 8 | 2)
}

pub(crate) fn packet(number: u32) -> Packet {
    let level = |at: u32| Level {
        quantity: 75 * at,
        price: 52_000 + at,
        orders: 3,
        spare: 0,
    };
    Packet {
        token: token(number),
        layout: Layout::Full,
        last: 5_200_005 + number,
        volume: 1_000_000 + number,
        exchange_secs: 1_763_955_900,
        bids: [1, 2, 3, 4, 5].map(level),
        asks: [6, 7, 8, 9, 10].map(level),
        ..Packet::default()
    }
}

pub(crate) fn packets(count: u32) -> Vec<Packet> {
    (0..count).map(packet).collect()
}

/// A frame of the first packets.
pub(crate) fn frame(count: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    feed::encode(&packets(count), &mut bytes);
    bytes
}

/// Bodies of different packets, 184 bytes each.
pub(crate) fn bodies(count: u32) -> Vec<Vec<u8>> {
    let body = |packet| {
        let mut frame = Vec::new();
        feed::encode(&[packet], &mut frame);
        frame.split_off(4)
    };
    packets(count).into_iter().map(body).collect()
}
