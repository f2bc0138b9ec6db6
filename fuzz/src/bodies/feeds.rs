//! Binary messages of the feeds: whole, arriving byte by byte, and written again.

use tezi::model::{FeedFault, Token};
use tezi::venue::kotak::hsm::Board;
use tezi::venue::kotak::packet::{Body, DEPTH_MAX};
use tezi::venue::{Broker, Cursor, Frame, Next};
use tezi::venue::{dhan, kite, kotak};

/// Walks a message as the engine does: no more steps than bytes, and the cursor moves forward.
fn walk(broker: Broker, frame: &[u8]) {
    let token = Token(256_265);
    broker.decode_whole(frame, token);
    broker.ends_with(frame, token);
    if let Ok(Frame::Packets(mut cursor)) = broker.open_frame(frame) {
        let mut steps = 0;
        let mut before = cursor.at();
        while broker.next_quote(frame, &mut cursor).is_some() {
            steps += 1;
            assert!(cursor.at() >= before, "the cursor went back");
            before = cursor.at();
        }
        assert!(steps <= frame.len(), "more packets than bytes");
        assert!(cursor.at() <= frame.len(), "the cursor left the message");
    }
    arrive(broker, frame);
}

/// The same message in two parts says what it says whole.
fn arrive(broker: Broker, frame: &[u8]) {
    let Some(start) = broker.open_arriving(frame, frame.len()) else {
        return;
    };
    let mut whole = Vec::new();
    let mut cursor = start;
    let end = drain(broker, frame, &mut cursor, &mut whole);
    assert!(end != Next::NotYet, "all of it is here");
    let mut parts = Vec::new();
    let mut cursor = start;
    for length in [frame.len() / 2, frame.len()] {
        let here = &frame[..length];
        drain(broker, here, &mut cursor, &mut parts);
    }
    assert_eq!(whole, parts, "in parts it says something else");
    if end == Next::Differs {
        broker.check_rest(frame, cursor).ok();
    }
}

fn drain(broker: Broker, here: &[u8], cursor: &mut Cursor, said: &mut Vec<Next>) -> Next {
    loop {
        match broker.next_arrived(here, cursor) {
            next @ (Next::End | Next::NotYet | Next::Differs) => return next,
            next => said.push(next),
        }
        assert!(said.len() <= here.len(), "more packets than bytes");
    }
}

/// The packets of a message that are known, and whether all of it is.
fn packets<P>(
    broker: Broker,
    frame: &[u8],
    next: impl Fn(&[u8], &mut Cursor) -> Option<Result<P, FeedFault>>,
) -> (Vec<P>, bool) {
    let Ok(Frame::Packets(mut cursor)) = broker.open_frame(frame) else {
        return (Vec::new(), false);
    };
    let (mut packets, mut all) = (Vec::new(), true);
    while let Some(packet) = next(frame, &mut cursor) {
        match packet {
            Ok(packet) => packets.push(packet),
            Err(_) => all = false,
        }
    }
    (packets, all)
}

pub(super) fn kite(bytes: &[u8]) {
    walk(Broker::Kite, bytes);
    let (packets, all) = packets(Broker::Kite, bytes, kite::feed::next_packet);
    if all {
        let mut written = Vec::new();
        kite::feed::encode(&packets, &mut written);
        assert_eq!(written, bytes, "written again it differs");
    }
    if let Ok(length) = kite::feed::frame_length(bytes) {
        assert!(length <= bytes.len() && length > 0);
    }
}

pub(super) fn dhan(bytes: &[u8]) {
    walk(Broker::Dhan, bytes);
    let (packets, _) = packets(Broker::Dhan, bytes, dhan::feed::next_packet);
    for packet in packets {
        let mut written = Vec::new();
        packet.encode(&mut written);
        let read = dhan::packet::Packet::decode(&written);
        assert_eq!(read, Ok(packet), "written and read it differs");
    }
    dhan::feed::disconnect_reason(bytes);
    let mut sides = 0;
    dhan::depth::read_depth(bytes, |_| sides += 1).ok();
    assert!(sides <= bytes.len());
}

pub(super) fn kotak(bytes: &[u8]) {
    walk(Broker::Kotak, bytes);
    let (packets, _) = packets(Broker::Kotak, bytes, kotak::feed::next_packet);
    for packet in packets {
        // More rows than are kept are counted and passed over: such a packet is not written again.
        if let Body::Picture(picture) = &packet.body
            && picture.buy_rows.max(picture.sell_rows) as usize > DEPTH_MAX
        {
            continue;
        }
        let mut written = Vec::new();
        packet.encode(&mut written);
        let read = kotak::packet::Packet::decode(&written).expect("it was just written");
        // Compared as bytes: a packet may hold a number that is none, which equals nothing.
        let mut again = Vec::new();
        read.encode(&mut again);
        assert_eq!(again, written, "written and read it differs");
    }
}

/// Several messages of one connection: each behind its length, as they are on the wire.
pub(super) fn hsm(bytes: &[u8]) {
    let mut board = Board::default();
    let mut rest = bytes;
    while let Some((head, _)) = rest.split_first_chunk::<2>() {
        let end = rest.len().min(usize::from(u16::from_be_bytes(*head)) + 2);
        board.read(&rest[..end]).ok();
        rest = &rest[end..];
    }
    for id in 0..8 {
        if let Some(topic) = board.topic(id) {
            assert!(topic.value(64).is_none(), "more values than a topic has");
            for position in 0..64 {
                topic.price(position);
            }
            topic.last();
        }
    }
}
