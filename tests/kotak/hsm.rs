//! The older market feed.

use super::session;
use proptest::prelude::*;
use tezi::model::{FeedFault, Price};
use tezi::venue::kotak::hsm::{self, Board, Kind, Message, UNCHANGED, scrip};

/// A message of the server around packets, as the byte tables say.
fn data(number: Option<u32>, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![6];
    if let Some(number) = number {
        body.extend_from_slice(&number.to_be_bytes());
    }
    let count = u16::try_from(packets.len()).expect("16 bits");
    body.extend_from_slice(&count.to_be_bytes());
    for packet in packets {
        let length = u16::try_from(packet.len()).expect("16 bits");
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(packet);
    }
    whole(&body)
}

fn whole(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("16 bits");
    [&length.to_be_bytes()[..], body].concat()
}

fn values(into: &mut Vec<u8>, values: &[i32]) {
    into.push(u8::try_from(values.len()).expect("8 bits"));
    for value in values {
        into.extend_from_slice(&value.to_be_bytes());
    }
}

fn snapshot(id: u32, name: &str, numbers: &[i32]) -> Vec<u8> {
    let mut packet = vec![b'S'];
    packet.extend_from_slice(&id.to_be_bytes());
    packet.push(u8::try_from(name.len()).expect("8 bits"));
    packet.extend_from_slice(name.as_bytes());
    values(&mut packet, numbers);
    packet.extend_from_slice(&[1, 54, 3]);
    packet.extend_from_slice(b"TCS");
    packet
}

fn update(id: u32, numbers: &[i32]) -> Vec<u8> {
    let mut packet = vec![b'U'];
    packet.extend_from_slice(&id.to_be_bytes());
    values(&mut packet, numbers);
    packet
}

/// 25 values of a contract: last 10105, multiplier 1, two decimals.
fn contract() -> [i32; 25] {
    let mut numbers = [UNCHANGED; 25];
    numbers[scrip::LAST] = 10_105;
    numbers[scrip::BID] = 10_100;
    numbers[scrip::VOLUME] = 650;
    (numbers[23], numbers[24]) = (1, 2);
    numbers
}

#[test]
fn an_update_keeps_what_it_does_not_change_and_nothing_unknown_becomes_a_price() {
    let mut board = Board::default();
    let first = data(None, &[snapshot(7, "sf|nse_fo|44498", &contract())]);
    let told = Message::Data {
        topics: 1,
        number: None,
    };
    assert_eq!(board.read(&first), Ok(told));
    let topic = board.named("sf|nse_fo|44498").expect("a topic");
    assert_eq!(
        (topic.kind, topic.last()),
        (Kind::Scrip, Some(Price::from_paise(10_105)))
    );
    assert_eq!(
        (topic.value(scrip::ASK), topic.price(scrip::ASK)),
        (None, None)
    );

    let mut changed = [UNCHANGED; 11];
    changed[scrip::ASK] = 10_110;
    assert_eq!(board.read(&data(None, &[update(7, &changed)])), Ok(told));
    let topic = board.topic(7).expect("a topic");
    assert_eq!(topic.last(), Some(Price::from_paise(10_105)));
    assert_eq!(topic.price(scrip::BID), Some(Price::from_paise(10_100)));
    assert_eq!(topic.price(scrip::ASK), Some(Price::from_paise(10_110)));
    assert_eq!(topic.value(scrip::VOLUME), Some(650));
}

#[test]
fn scales_come_from_the_topic_and_a_missing_one_gives_no_price() {
    let mut board = Board::default();
    let mut index = [UNCHANGED; 10];
    (index[2], index[8], index[9]) = (2_600_055, 1, 2);
    let mut scaled = contract();
    (scaled[23], scaled[24]) = (10, 4);
    let mut blind = contract();
    blind[24] = UNCHANGED;
    let mut zero = contract();
    zero[23] = 0;
    let packets = [
        snapshot(1, "if|nse_cm|Nifty 50", &index),
        snapshot(2, "sf|cde_fo|1", &scaled),
        snapshot(3, "sf|nse_fo|3", &blind),
        snapshot(4, "sf|nse_fo|4", &zero),
    ];
    board.read(&data(None, &packets)).expect("data");
    let last = |id| board.topic(id).and_then(hsm::Topic::last);
    assert_eq!(last(1), Some(Price::from_paise(2_600_055)));
    // 10105 / (10 × 10⁴) is finer than our unit by one digit.
    assert_eq!((last(2), last(3), last(4)), (None, None, None));
}

#[test]
fn the_answer_to_the_greeting_says_whether_messages_are_numbered() {
    let mut board = Board::default();
    let greeted = whole(&[1, 2, 1, 0, 1, b'K', 2, 0, 4, 0, 0, 0, 50]);
    let connected = Message::Connected {
        is_accepted: true,
        ack_every: 50,
    };
    assert_eq!(board.read(&greeted), Ok(connected));
    let message = data(Some(3), &[snapshot(7, "sf|nse_fo|44498", &contract())]);
    let numbered = Message::Data {
        topics: 1,
        number: Some(3),
    };
    assert_eq!(board.read(&message), Ok(numbered));
    let refused = whole(&[1, 1, 1, 0, 1, b'N']);
    let read = Board::default().read(&refused);
    assert!(matches!(
        read,
        Ok(Message::Connected {
            is_accepted: false,
            ack_every: 0
        })
    ));
    assert_eq!(board.read(&whole(&[4, 0])), Ok(Message::Other(4)));
}

#[test]
fn lies_end_the_frame_with_a_fault() {
    let mut board = Board::default();
    let good = data(None, &[snapshot(7, "sf|nse_fo|44498", &contract())]);
    for cut in 0..good.len() {
        assert_eq!(board.read(&good[..cut]), Err(FeedFault::Truncated), "{cut}");
    }
    for (packet, fault) in [
        (update(8, &[1]), FeedFault::UnknownToken),
        (snapshot(8, "xx|nse_fo|1", &[]), FeedFault::Segment),
        (vec![b'X'], FeedFault::Length),
        (vec![b'U', 0, 0, 0, 7, 9], FeedFault::Truncated),
        (vec![b'S', 0, 0, 0, 7, 1, 0xFF], FeedFault::Text),
        (Vec::new(), FeedFault::Truncated),
    ] {
        assert_eq!(board.read(&data(None, &[packet])), Err(fault));
    }
    for id in 0..3_001_u32 {
        let one = data(None, &[snapshot(id, "sf|nse_fo|1", &[])]);
        let full = board.read(&one) == Err(FeedFault::Oversized);
        assert_eq!(full, id == 3_000);
    }
}

#[test]
fn client_frames_are_those_of_the_byte_tables() {
    let (_, auth) = session();
    let greeting = hsm::connect_frame(&auth);
    let expected = [
        &[0, 34, 1, 3, 1, 0, 9][..],
        b"trade.jwt",
        &[2, 0, 5],
        b"sid-1",
        &[3, 0, 6],
        b"JS_API",
    ]
    .concat();
    assert_eq!(greeting.len() - 2, usize::from(greeting[1]));
    assert_eq!(greeting[2..], expected[2..]);
    let asked = hsm::subscribe_frame(&["sf|nse_fo|44498"], 2);
    let expected = [
        &[0, 27, 4, 2, 1, 0, 18, 0, 1, 15][..],
        b"sf|nse_fo|44498",
        &[2, 0, 1, 2],
    ]
    .concat();
    assert_eq!(asked[2..], expected[2..]);
    assert_eq!(usize::from(asked[1]), asked.len() - 2);
    assert_eq!(hsm::unsubscribe_frame(&["sf|nse_fo|44498"], 2)[2], 5);
    assert_eq!(hsm::ack_frame(258), [0, 9, 3, 1, 1, 0, 4, 0, 0, 1, 2]);
    assert!(hsm::is_address("wss://mlhsm.kotaksecurities.com"));
    assert!(!hsm::is_address("wss://sfeed.kotaksecurities.com/apifeed"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..80, flipped: u8) {
        let mut board = Board::default();
        std::hint::black_box(board.read(&bytes).is_ok());
        let mut near = data(None, &[snapshot(7, "sf|nse_fo|44498", &contract()), update(7, &[1, 2])]);
        if let Some(byte) = near.get_mut(at) {
            *byte ^= flipped;
        }
        std::hint::black_box(board.read(&near).is_ok());
    }
}
