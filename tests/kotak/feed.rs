//! Binary batches.

use super::{contract, index};
use proptest::prelude::*;
use tezi::model::{FeedFault, Price, Quote, Token, WallNanos};
use tezi::venue::kotak::packet::{
    Auction, Body, HEADER, Header, INDEX, Index, Level, MINI, Mini, Packet, Picture, ROW, ROWS,
    Row, TOUCH, code, quote,
};
use tezi::venue::kotak::segment::{Segment, index_token};
use tezi::venue::kotak::{Kotak, feed};
use tezi::venue::{Cursor, FRAME_MAX, Feed as _, Frame, Mode, Next};

fn quotes(frame: &[u8]) -> Vec<Result<Quote, FeedFault>> {
    let Ok(Frame::Packets(mut cursor)) = Kotak::open_frame(frame) else {
        return Vec::new();
    };
    std::iter::from_fn(|| Kotak::next_quote(frame, &mut cursor)).collect()
}

fn packets(frame: &[u8]) -> Vec<Result<Packet, FeedFault>> {
    let Ok(Frame::Packets(mut cursor)) = Kotak::open_frame(frame) else {
        return Vec::new();
    };
    std::iter::from_fn(|| feed::next_packet(frame, &mut cursor)).collect()
}

fn frame(packets: &[Packet]) -> Vec<u8> {
    let mut bytes = Vec::new();
    feed::encode(packets, &mut bytes);
    bytes
}

fn header(code: u16, level: u8) -> Header {
    Header {
        code,
        exchange: 2,
        level,
        sequence: 7,
        ..Header::default()
    }
}

fn picture(level: Level) -> Packet {
    let mut picture = Picture {
        token: 44_498,
        volume: 1_234_500,
        updated_at: 1_795_424_401,
        last: 10_105,
        open: 9_900,
        close: 9_800,
        high: 10_200,
        low: 9_700,
        average: 10_000,
        open_interest: 77,
        value: 1.5e9,
        buy_rows: 5,
        sell_rows: 5,
        lot: 65,
        precision: 2,
        multiplier: 1,
        ..Picture::default()
    };
    let prices = (0_i32..).map(|at| (10_100 - at * 5, 10_110 + at * 5));
    let sides = picture.buys.iter_mut().zip(&mut picture.sells);
    for ((buy, sell), (bid, ask)) in sides.zip(prices).take(5) {
        *buy = Row {
            quantity: 65,
            price: bid,
            orders: 1,
        };
        *sell = Row { price: ask, ..*buy };
    }
    if level == Level::Touch {
        picture.buys[1..].fill(Row::default());
        picture.sells[1..].fill(Row::default());
    }
    Packet {
        header: header(code::PICTURE, level.byte()),
        body: Body::Picture(picture),
    }
}

fn every_kind() -> Vec<Packet> {
    let bell = |code| Packet {
        header: header(code, 0),
        body: Body::Bell,
    };
    let mut name = [0; 21];
    name[..8].copy_from_slice(b"Nifty 50");
    vec![
        bell(code::OPEN),
        Packet {
            header: header(code::STATUS, 0),
            body: Body::Status(1, *b"Open\0"),
        },
        Packet {
            header: Header {
                exchange: 1,
                ..header(code::INDEX, 0)
            },
            body: Body::Index(Index {
                token: 26_000,
                last: 2_600_055,
                at: 1_795_424_401,
                multiplier: 1,
                name,
                ..Index::default()
            }),
        },
        Packet {
            header: header(code::PICTURE, 1),
            body: Body::Mini(Mini {
                token: 44_498,
                traded_at: 1_795_424_399,
                last: 10_105,
                close: 9_800,
                ..Mini::default()
            }),
        },
        picture(Level::Touch),
        picture(Level::Second),
        picture(Level::Depth),
        picture(Level::FullDepth),
        Packet {
            header: header(code::AUCTION, 4),
            body: Body::Auction(Auction {
                token: 44_498,
                reference: 10_100,
                imbalance: -65,
                imbalance_at_market: 0,
            }),
        },
        bell(code::CLOSE),
    ]
}

fn token() -> Token {
    contract().token
}

#[test]
fn a_touch_line_written_by_hand_is_read_to_the_last_field() {
    let mut bytes = vec![0_u8; TOUCH];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, &176_u16.to_le_bytes());
    put(2, &7_208_u16.to_le_bytes());
    put(4, &[2, 4, 0, 9, 0]);
    put(9, &44_498_u32.to_le_bytes());
    put(13, &1_i64.to_le_bytes());
    put(21, &2_i64.to_le_bytes());
    put(29, &5_000_000_000_i64.to_le_bytes());
    put(37, &1_795_424_400_i64.to_le_bytes());
    put(45, &1_795_424_401_i64.to_le_bytes());
    for (at, value) in [(53, 1), (57, 2), (61, 3), (65, 4), (69, 10_105_u32)] {
        put(at, &value.to_le_bytes());
    }
    put(73, &65_i64.to_le_bytes());
    for (at, value) in [(81, 5_u32), (85, 6), (89, 5), (93, 5)] {
        put(at, &value.to_le_bytes());
    }
    put(97, &3_i16.to_le_bytes());
    put(99, &(-125_i32).to_le_bytes());
    put(103, &7_u32.to_le_bytes());
    put(107, &1.25_f64.to_le_bytes());
    put(115, &(-50_i32).to_le_bytes());
    for (at, value) in [(119, 8_u32), (123, 9), (127, 10), (131, 11), (135, 65)] {
        put(at, &value.to_le_bytes());
    }
    put(139, &[2]);
    put(140, &1_u32.to_le_bytes());
    put(144, &650_i64.to_le_bytes());
    put(152, &10_100_i32.to_le_bytes());
    put(156, &3_i32.to_le_bytes());
    put(160, &130_i64.to_le_bytes());
    put(168, &10_110_i32.to_le_bytes());
    put(172, &4_i32.to_le_bytes());

    assert_eq!(
        quotes(&bytes),
        [Ok(Quote {
            token: token(),
            last: Price::from_paise(10_105),
            bid: Price::from_paise(10_100),
            ask: Price::from_paise(10_110),
            // 32 bits are all there are.
            volume_day: u32::MAX,
            exchange_time: WallNanos::from_secs(1_795_424_401),
        })]
    );
    let [Ok(packet)] = packets(&bytes)[..] else {
        panic!("one packet");
    };
    assert_eq!((packet.header.sequence, packet.token()), (9, Some(token())));
    let Body::Picture(picture) = packet.body else {
        panic!("{packet:?}");
    };
    let day = (picture.open, picture.close, picture.high, picture.low);
    assert_eq!(day, (1, 2, 3, 4));
    assert_eq!(
        (picture.buy_total, picture.sell_total, picture.last_qty),
        (1, 2, 65)
    );
    let rest = (picture.average, picture.indicative_close, picture.status);
    assert_eq!(rest, (5, 6, 3));
    assert_eq!((picture.change_percent, picture.change), (-125, -50));
    assert_eq!(
        (picture.open_interest, picture.lot, picture.precision),
        (7, 65, 2)
    );
    assert!((picture.value - 1.25).abs() < f64::EPSILON);
    let circuits = (picture.upper_circuit, picture.lower_circuit);
    assert_eq!(
        (circuits, picture.year_high, picture.year_low),
        ((8, 9), 10, 11)
    );
    let best = Row {
        quantity: 650,
        price: 10_100,
        orders: 3,
    };
    assert_eq!((picture.buys[0], picture.buys[1]), (best, Row::default()));
    assert_eq!(
        (picture.sells[0].quantity, picture.sells[0].orders),
        (130, 4)
    );
}

#[test]
fn every_kind_of_packet_has_its_size_and_comes_back_byte_for_byte() {
    let sizes = [9, 16, INDEX, MINI, TOUCH, 304, 304, 304, 33, 9];
    let all = every_kind();
    for (packet, size) in all.iter().zip(sizes) {
        let bytes = frame(std::slice::from_ref(packet));
        assert_eq!(bytes.len(), size, "{packet:?}");
        assert_eq!(
            bytes[..2],
            u16::try_from(size).expect("16 bits").to_le_bytes()
        );
        assert_eq!(Packet::decode(&bytes), Ok(*packet));
        assert_eq!(
            Packet::decode(&bytes[..size - 1]).is_ok(),
            size > ROWS,
            "{size}"
        );
    }
    assert_eq!(
        packets(&frame(&all)),
        all.iter().map(|p| Ok(*p)).collect::<Vec<_>>()
    );
}

#[test]
fn a_batch_gives_a_quote_for_every_packet_with_a_price_and_none_for_the_others() {
    let found = quotes(&frame(&every_kind()));
    let bid = Price::from_paise(10_100);
    let (last, ask) = (Price::from_paise(10_105), Price::from_paise(10_110));
    let full = Quote {
        token: token(),
        last,
        bid,
        ask,
        volume_day: 1_234_500,
        exchange_time: WallNanos::from_secs(1_795_424_401),
    };
    let spot = Quote {
        token: index_token(b"NIFTY 50"),
        last: Price::from_paise(2_600_055),
        exchange_time: WallNanos::from_secs(1_795_424_401),
        ..Quote::default()
    };
    let mini = Quote {
        token: token(),
        last,
        ..Quote::default()
    };
    assert_eq!(found, [spot, mini, full, full, full, full].map(Ok));
}

#[test]
fn one_sided_and_empty_books_have_no_best_price_on_that_side() {
    let Body::Picture(depth) = picture(Level::Depth).body else {
        panic!("a picture");
    };
    for (buy_rows, sell_rows, bid, ask) in [
        (5, 0, 10_100, 0),
        (0, 5, 0, 10_110),
        (0, 0, 0, 0),
        (2, 1, 10_100, 10_110),
    ] {
        let packet = Packet {
            body: Body::Picture(Picture {
                buy_rows,
                sell_rows,
                ..depth
            }),
            ..picture(Level::Depth)
        };
        let bytes = frame(&[packet]);
        let found = quotes(&bytes)[0].expect("a quote");
        let expected = (Price::from_paise(bid), Price::from_paise(ask));
        assert_eq!((found.bid, found.ask), expected, "{buy_rows} {sell_rows}");
    }
}

#[test]
fn prices_follow_the_divider_of_the_exchange() {
    let mini = |exchange: u8, last: u32| {
        let mut packet = every_kind()[3];
        packet.header.exchange = exchange;
        packet.body = Body::Mini(Mini {
            token: 1,
            last,
            ..Mini::default()
        });
        quotes(&frame(&[packet]))[0].map(|quote| quote.last)
    };
    for exchange in [1, 2, 5, 6, 9] {
        assert_eq!(mini(exchange, 7_275), Ok(Price(727_500)));
    }
    for exchange in [3, 7] {
        assert_eq!(mini(exchange, 837_525_000), Ok(Price(837_525)));
        assert_eq!(mini(exchange, 837_525_001), Err(FeedFault::Price));
    }
    assert_eq!(mini(2, 0), Err(FeedFault::Price));
    assert_eq!(mini(0, 7_275), Err(FeedFault::Segment));
    assert_eq!(mini(11, 7_275), Err(FeedFault::Segment));
    assert_eq!(mini(255, 7_275), Err(FeedFault::Segment));
}

#[test]
fn a_number_beyond_the_token_is_refused_and_never_becomes_another_contract() {
    let mut packet = every_kind()[3];
    packet.body = Body::Mini(Mini {
        token: 1 << 28,
        last: 1,
        ..Mini::default()
    });
    assert_eq!(quotes(&frame(&[packet])), [Err(FeedFault::Segment)]);
}

#[test]
fn a_batch_whose_lengths_do_not_add_up_is_refused_whole() {
    let good = frame(&every_kind());
    for (bytes, fault) in [
        (&[][..], FeedFault::Truncated),
        (&[9], FeedFault::Trailing),
        (&[8, 0, 0, 0, 0, 0, 0, 0], FeedFault::Length),
        (&[0, 0, 0, 0, 0, 0, 0, 0, 0], FeedFault::Length),
        (&[10, 0, 0, 0, 0, 0, 0, 0, 0], FeedFault::Truncated),
    ] {
        assert_eq!(Kotak::open_frame(bytes), Err(fault), "{bytes:?}");
        let joined = [&good[..], bytes].concat();
        if !bytes.is_empty() {
            assert_eq!(Kotak::open_frame(&joined), Err(fault), "{bytes:?}");
        }
    }
    let short = Kotak::open_frame(&good[..good.len() - 1]);
    assert_eq!(short, Err(FeedFault::Truncated));
    let large = vec![0; FRAME_MAX + 1];
    assert_eq!(Kotak::open_frame(&large), Err(FeedFault::Oversized));
    // More packets than a cursor counts, inside the largest frame.
    let many = [9, 0, 0x6F, 0x19, 2, 0, 0, 0, 0].repeat(FRAME_MAX / 9);
    assert_eq!(Kotak::open_frame(&many), Err(FeedFault::Oversized));
}

#[test]
fn an_unknown_packet_is_counted_and_its_neighbours_are_read() {
    let mut unknown = vec![20, 0, 1, 0, 2, 3, 0, 0, 0];
    unknown.resize(20, 0xFF);
    let touch = frame(&[picture(Level::Touch)]);
    let found = quotes(&[&touch[..], &unknown, &touch].concat());
    assert!(found[0].is_ok() && found[2].is_ok());
    assert_eq!((found[1], found.len()), (Err(FeedFault::Length), 3));
}

#[test]
fn a_batch_of_one_kind_is_read_while_it_arrives() {
    let whole = frame(&[picture(Level::Touch); 3]);
    let Some(mut cursor) = Kotak::open_arriving(&whole[..10], whole.len()) else {
        panic!("three packets of one length");
    };
    assert_eq!(Kotak::next_arrived(&whole[..10], &mut cursor), Next::NotYet);
    assert_eq!(
        Kotak::next_arrived(&whole[..175], &mut cursor),
        Next::NotYet
    );
    let first = Kotak::next_arrived(&whole[..176], &mut cursor);
    assert!(matches!(first, Next::Quote(quote) if quote.token == token()));
    assert_eq!(
        Kotak::next_arrived(&whole[..176], &mut cursor),
        Next::NotYet
    );
    assert_eq!(
        Kotak::next_arrived(&whole[..177], &mut cursor),
        Next::NotYet
    );
    for _ in 0..2 {
        let next = Kotak::next_arrived(&whole, &mut cursor);
        assert!(matches!(next, Next::Quote(_)));
    }
    assert_eq!(Kotak::next_arrived(&whole, &mut cursor), Next::End);
    assert_eq!(Kotak::open_arriving(&whole[..10], whole.len() + 1), None);
    assert_eq!(Kotak::open_arriving(&whole[..1], whole.len()), None);
    assert_eq!(Kotak::open_arriving(&[0, 0], 10), None);
}

#[test]
fn a_batch_that_turns_out_mixed_is_finished_whole() {
    // Two closing bells and what looks like a third packet of their length.
    let (touch, bell) = (picture(Level::Touch), every_kind()[0]);
    let mut whole = frame(&[touch, bell, bell]);
    whole.resize(TOUCH * 2, 0);
    let filler = u16::try_from(TOUCH - 18).expect("16 bits").to_le_bytes();
    whole[TOUCH + 18..TOUCH + 20].copy_from_slice(&filler);
    let mut cursor = Kotak::open_arriving(&whole, whole.len()).expect("twice the first length");
    assert!(matches!(
        Kotak::next_arrived(&whole, &mut cursor),
        Next::Quote(_)
    ));
    assert_eq!(Kotak::next_arrived(&whole, &mut cursor), Next::Differs);
    let Ok(Frame::Packets(mut rest)) = Kotak::check_rest(&whole, cursor) else {
        panic!("it adds up");
    };
    assert_eq!((rest.at(), rest.left()), (TOUCH, 3));
    assert_eq!(
        Kotak::next_quote(&whole, &mut rest),
        Some(Err(FeedFault::Length))
    );
    assert_eq!(Kotak::next_quote(&whole, &mut rest), None);
    whole[TOUCH + 18] = 255;
    whole[TOUCH + 19] = 255;
    assert_eq!(Kotak::check_rest(&whole, cursor), Err(FeedFault::Truncated));
}

#[test]
fn a_token_is_found_at_either_end_and_by_a_whole_read_anywhere() {
    let of = |number: u32| {
        let mut packet = picture(Level::Touch);
        if let Body::Picture(picture) = &mut packet.body {
            picture.token = number;
        }
        packet
    };
    for (numbers, at_an_end, anywhere) in [
        (&[44_498][..], true, true),
        (&[44_498, 1, 2], true, true),
        (&[1, 2, 44_498], true, true),
        (&[1, 44_498, 2], false, true),
        (&[1, 2, 3], false, false),
    ] {
        let packets: Vec<Packet> = numbers.iter().map(|number| of(*number)).collect();
        let bytes = frame(&packets);
        assert_eq!(
            Kotak::decode_whole(&bytes, token()),
            anywhere,
            "{numbers:?}"
        );
        assert_eq!(Kotak::ends_with(&bytes, token()), at_an_end, "{numbers:?}");
    }
}

#[test]
fn subscriptions_name_contracts_by_number_and_indices_by_name() {
    let rows = [contract(), index(), contract()];
    for (mode, event) in [
        (Mode::Ltp, "ScripsLite"),
        (Mode::Quote, "Scrips"),
        (Mode::Full, "Depth"),
    ] {
        assert_eq!(
            Kotak::subscribe_messages(&rows, mode),
            [
                format!(
                    r#"{{"event":"subscribe{event}","inputtoken":"nse_fo|44498,nse_fo|44498","ack_symbol":true}}"#
                ),
                r#"{"event":"subscribeIndices","inputtoken":"nse_cm|Nifty 50","ack_symbol":true}"#
                    .to_owned(),
            ]
        );
    }
    let many = vec![contract(); 3_000];
    let messages = Kotak::subscribe_messages(&many, Mode::Full);
    assert_eq!(messages.len(), 15);
    assert!(Kotak::subscribe_messages(&[], Mode::Full).is_empty());
}

/// What a careful reader of the whole packet would make of it.
fn careful(bytes: &[u8]) -> Option<Result<Quote, FeedFault>> {
    let Ok(packet) = Packet::decode(bytes) else {
        return Some(Err(FeedFault::Length));
    };
    let last = match packet.body {
        Body::Bell | Body::Status(..) | Body::Auction(_) => return None,
        Body::Index(index) => i64::from(index.last),
        Body::Mini(mini) => i64::from(mini.last),
        Body::Picture(picture) => i64::from(picture.last),
    };
    let Some(segment) = Segment::of(packet.header.exchange) else {
        return Some(Err(FeedFault::Segment));
    };
    let Some(token) = packet.token() else {
        return Some(Err(FeedFault::Segment));
    };
    let price = |raw: i64| segment.price(raw).ok_or(FeedFault::Price);
    let read = || {
        let mut quote = Quote {
            token,
            last: price(last)?,
            ..Quote::default()
        };
        if quote.last <= Price::ZERO {
            return Err(FeedFault::Price);
        }
        match packet.body {
            Body::Index(index) => {
                let at = i64::from_le_bytes(index.at.to_le_bytes());
                quote.exchange_time = tezi::venue::kotak::packet::time(at);
            }
            Body::Picture(picture) => {
                let touch = packet.header.level == 4;
                let shown = |rows: u32| touch || rows > 0;
                if shown(picture.buy_rows) {
                    quote.bid = price(i64::from(picture.buys[0].price))?;
                }
                if shown(picture.sell_rows) {
                    quote.ask = price(i64::from(picture.sells[0].price))?;
                }
                quote.volume_day = u32::try_from(picture.volume.max(0)).unwrap_or(u32::MAX);
                quote.exchange_time = tezi::venue::kotak::packet::time(picture.updated_at);
            }
            _ => {}
        }
        Ok(quote)
    };
    Some(read())
}

proptest! {
    #[test]
    fn no_bytes_panic_and_every_cursor_ends(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        if let Ok(Frame::Packets(mut cursor)) = Kotak::open_frame(&bytes) {
            let mut seen = 0;
            while let Some(quote) = Kotak::next_quote(&bytes, &mut cursor) {
                std::hint::black_box(quote.is_ok());
                seen += 1;
            }
            prop_assert!(seen <= bytes.len() / HEADER + 1);
        }
        let mut astray = Cursor::new(bytes.len() / 2, u16::MAX);
        while Kotak::next_quote(&bytes, &mut astray).is_some() {}
        if let Some(mut cursor) = Kotak::open_arriving(&bytes, bytes.len()) {
            while matches!(Kotak::next_arrived(&bytes, &mut cursor), Next::Quote(_) | Next::Fault(_)) {}
        }
        std::hint::black_box((quote(&bytes), Packet::decode(&bytes).is_ok()));
    }

    #[test]
    fn the_hot_read_agrees_with_the_whole_packet(
        mut bytes in proptest::collection::vec(any::<u8>(), 9..330),
        code in prop_oneof![Just(104_u16), Just(105), Just(6_511), Just(7_207), Just(7_208), any::<u16>()],
        level in prop_oneof![Just(1_u8), Just(2), Just(4), Just(8), Just(16), any::<u8>()],
        exchange in 0_u8..12,
        rows in (0_u32..8, 0_u32..8),
        size in prop_oneof![Just(MINI), Just(INDEX), Just(TOUCH), Just(304), 9_usize..330],
    ) {
        bytes.resize(size, 3);
        bytes[2..4].copy_from_slice(&code.to_le_bytes());
        (bytes[4], bytes[5]) = (exchange, level);
        if let Some(high) = bytes.get_mut(12) {
            *high = 0; // a number of at most 24 bits
        }
        if size >= ROWS {
            bytes[89..93].copy_from_slice(&rows.0.to_le_bytes());
            bytes[93..97].copy_from_slice(&rows.1.to_le_bytes());
            // Prices that are some.
            for at in (ROWS..size.saturating_sub(ROW - 1)).step_by(ROW) {
                bytes[at + 11] &= 0x7F;
            }
        }
        let length = u16::try_from(size).expect("16 bits");
        bytes[..2].copy_from_slice(&length.to_le_bytes());
        prop_assert_eq!(quote(&bytes), careful(&bytes));
    }
}
