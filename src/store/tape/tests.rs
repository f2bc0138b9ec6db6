//! What is recorded comes back; torn and changed files end where they are torn.

use super::block::{BlockHead, Encoder, HEAD};
use super::*;
use crate::model::time::SECOND;
use crate::model::{Fill, Qty, Side, StrategyIx, Tag};
use crate::venue::Broker;
use proptest::prelude::*;
use std::path::Path;

fn sample() -> (Vec<u8>, Vec<TapeRecord>) {
    let tick = Tick {
        last: Price(5),
        high: Price(7),
        low: Price(-3),
        volume: 9,
        merged: 2,
        instrument: InstrumentIx(4),
        ..Tick::default()
    };
    let stamp = Stamp {
        mono: MonoNanos(77),
        wall: WallNanos(-1),
    };
    let entry = Entry::Fill(Fill {
        tag: Tag(*b"TZ0025G18X0001000000"),
        strategy: StrategyIx(3),
        instrument: InstrumentIx(1),
        side: Side::Sell,
        qty: Qty(30),
        price: Price(99),
        at: WallNanos(12),
    });
    let frame = vec![7; 300_000];
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&tick_record(&tick));
    bytes.extend_from_slice(&clock_record(stamp));
    bytes.extend_from_slice(&outcome_record(&entry));
    bytes.extend_from_slice(&frame_head(stamp, &frame));
    bytes.extend_from_slice(&frame);
    let records = vec![
        TapeRecord::Tick(tick),
        TapeRecord::Clock(stamp),
        TapeRecord::Outcome(entry),
        TapeRecord::Frame {
            at: stamp,
            bytes: frame,
        },
    ];
    (bytes, records)
}

/// A recording of sixty samples: more than one block.
fn written(path: &Path) -> Bar {
    let bar = Bar {
        open: Price(1),
        ticks: 5,
        volume: 6,
        ..Bar::default()
    };
    let writer = TapeWriter::create(path, "{}").expect("create");
    let mut writer = writer.of(Broker::Kite);
    writer.warmup(2, &bar).expect("write");
    writer.state(3, &[9; 2_600]).expect("write");
    for _ in 0..60 {
        writer.push(&sample().0).expect("write");
    }
    writer.finish("{\"n\":1}").expect("finish");
    bar
}

#[test]
fn a_recording_comes_back_whole_and_a_torn_tail_is_cut() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("day.tape");
    let bar = written(&path);
    let mut reader = TapeReader::open(&path).expect("tape");
    assert_eq!(reader.next(), Some(TapeRecord::Header("{}".into())));
    assert_eq!(reader.next(), Some(TapeRecord::Warmup { unit: 2, bar }));
    let state = TapeRecord::State {
        unit: 3,
        bytes: vec![9; 2_600],
    };
    assert_eq!(reader.next(), Some(state));
    for _ in 0..60 {
        for record in &sample().1 {
            assert_eq!(reader.next().as_ref(), Some(record));
        }
    }
    assert_eq!(reader.next(), Some(TapeRecord::End("{\"n\":1}".into())));
    assert_eq!((reader.next(), reader.torn()), (None, None));

    let all = std::fs::read(&path).expect("read");
    for missing in [1, 9, 40] {
        std::fs::write(&path, &all[..all.len() - missing]).expect("write");
        let mut reader = TapeReader::open(&path).expect("tape");
        assert!(reader.by_ref().count() > 50);
        assert!(reader.torn().is_some_and(|torn| torn.contains("torn")));
    }
    let mut changed = all.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    std::fs::write(&path, &changed).expect("write");
    let mut reader = TapeReader::open(&path).expect("tape");
    assert!(reader.by_ref().count() < 242);
    assert!(reader.torn().is_some_and(|t| t.contains("checksum")));
}

#[test]
fn another_file_and_another_format_are_refused_by_name() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("prices.csv");
    let refused = |text: &str| {
        std::fs::write(&path, text).expect("write");
        TapeReader::open(&path).expect_err("refused").to_string()
    };
    let other = refused("Time,Open\n");
    assert!(other.contains("prices.csv") && other.contains("not a tezi recording"));
    for other in ["1", "2", "4"] {
        let words = refused(&format!("TEZITAPE{other}\nrest"));
        let told = format!("format '{other}'; this program reads 3: read it with the tezi");
        assert!(words.contains(&told), "{words}");
    }
}

/// A day of one tick a second, long enough for several blocks.
fn seconds(path: &Path, count: i64) {
    let mut writer = TapeWriter::create(path, "{}").expect("create");
    for second in 0..count {
        let tick = Tick {
            last: Price(second),
            merged: 1,
            exchange_time: WallNanos(second * SECOND),
            ..Tick::default()
        };
        writer.push(&tick_record(&tick)).expect("write");
    }
    writer.finish("{}").expect("finish");
}

#[test]
fn a_reader_goes_to_a_time_without_reading_what_is_before() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("day.tape");
    seconds(&path, 500_000);
    let first_from = |second: i64| {
        let mut reader = TapeReader::open(&path).expect("tape");
        reader.seek(WallNanos(second * SECOND)).expect("seek");
        let mut ticks = reader.filter_map(|record| match record {
            TapeRecord::Tick(tick) => Some(tick.exchange_time.secs()),
            _ => None,
        });
        (ticks.next(), ticks.last())
    };
    assert_eq!(first_from(-5), (Some(0), Some(499_999)));
    let (first, last) = first_from(400_000);
    assert_eq!(last, Some(499_999));
    assert!(
        first.is_some_and(|at| (200_000..=400_000).contains(&at)),
        "{first:?}"
    );
    assert_eq!(first_from(500_000), (None, None), "past the end");
    // The first block may be damaged: it is passed over by its head.
    let mut bytes = std::fs::read(&path).expect("bytes");
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).expect("write");
    assert_eq!(first_from(400_000).1, Some(499_999));
    assert_eq!(first_from(0), (None, None));
}

#[test]
fn going_past_a_torn_last_block_says_that_it_is_torn() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("day.tape");
    seconds(&path, 2_000);
    let all = std::fs::read(&path).expect("read");
    for (missing, is_torn) in [(0, false), (1, true), (40, true)] {
        std::fs::write(&path, &all[..all.len() - missing]).expect("write");
        let mut reader = TapeReader::open(&path).expect("tape");
        reader.seek(WallNanos(i64::MAX)).expect("seek");
        assert_eq!(reader.next(), None);
        let torn = reader.torn().map(|torn| torn.contains("torn"));
        assert_eq!(torn, is_torn.then_some(true), "{missing} bytes are missing");
    }
}

#[test]
fn a_recording_that_is_there_is_not_written_over() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("day.tape");
    written(&path);
    let before = std::fs::read(&path).expect("read");
    let fault = TapeWriter::create(&path, "{}").expect_err("there is one");
    assert_eq!(fault.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&path).expect("read"), before);
}

fn tick() -> impl Strategy<Value = Vec<u8>> {
    let price = prop_oneof![Just(0_i64), 1_i64..500_000_000, any::<i64>()];
    let prices = (
        price.clone(),
        price.clone(),
        price.clone(),
        price.clone(),
        price,
    );
    let rest = (
        any::<i64>(),
        any::<u64>(),
        any::<u32>(),
        0_u16..600,
        any::<u8>(),
        any::<u8>(),
    );
    (prices, rest).prop_map(
        |((last, high, low, bid, ask), (time, received, volume, ix, merged, source))| {
            let tick = Tick {
                last: Price(last),
                high: Price(high),
                low: Price(low),
                bid: Price(bid),
                ask: Price(ask),
                exchange_time: WallNanos(time),
                received: MonoNanos(received),
                volume,
                instrument: InstrumentIx(ix),
                merged,
                source: crate::model::Origin::from_byte(source),
            };
            tick_record(&tick).to_vec()
        },
    )
}

/// A Kite frame of some last-price packets, or any bytes.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let packets = proptest::collection::vec((0_u32..4, any::<u32>()), 1..6).prop_map(|packets| {
        let count = u16::try_from(packets.len()).expect("few");
        let mut bytes = count.to_be_bytes().to_vec();
        for (token, price) in packets {
            bytes.extend_from_slice(&8_u16.to_be_bytes());
            bytes.extend_from_slice(&(token << 8 | 2).to_be_bytes());
            bytes.extend_from_slice(&price.to_be_bytes());
        }
        bytes
    });
    let bytes = prop_oneof![packets, proptest::collection::vec(any::<u8>(), 0..80)];
    (any::<u64>(), any::<i64>(), bytes).prop_map(|(mono, wall, bytes)| {
        let at = Stamp {
            mono: MonoNanos(mono),
            wall: WallNanos(wall),
        };
        let mut record = frame_head(at, &bytes).to_vec();
        record.extend_from_slice(&bytes);
        record
    })
}

fn other() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..70)).prop_map(|(kind, payload)| {
        let mut record = head(kind, payload.len()).to_vec();
        record.extend_from_slice(&payload);
        record
    })
}

fn records() -> impl Strategy<Value = Vec<u8>> {
    let one = prop_oneof![4 => tick(), 2 => frame(), 1 => other()];
    proptest::collection::vec(one, 0..60).prop_map(|records| records.concat())
}

fn block_of(records: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    encoder.set_broker(Broker::Kite);
    // Twice: a buffer that is kept must not show.
    encoder.block(b"\x01\0\0\0\x09x").expect("block");
    encoder.block(records).expect("block")
}

/// What a reader would make of the bytes of a block.
fn read_block(bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, stored) = bytes.split_first_chunk::<HEAD>()?;
    let read = BlockHead::read(head)?;
    (stored.len() == read.stored && read.is_whole(head, stored)).then(|| read.records(stored))?
}

proptest! {
    #[test]
    fn any_records_come_back_from_a_block(records in records(), rest in proptest::collection::vec(any::<u8>(), 0..4)) {
        let mut all = records;
        all.extend_from_slice(&rest);
        prop_assert_eq!(read_block(&block_of(&all)), Some(all));
    }

    #[test]
    fn a_block_with_a_changed_or_missing_byte_is_refused(
        records in records(), place in any::<prop::sample::Index>(), flip in 1_u8..=255,
    ) {
        let mut bytes = block_of(&records);
        let place = place.index(bytes.len());
        prop_assert_eq!(read_block(&bytes[..place]), None);
        bytes[place] ^= flip;
        prop_assert_eq!(read_block(&bytes), None);
    }

    #[test]
    fn columns_that_nobody_wrote_are_read_or_refused(columns in proptest::collection::vec(any::<u8>(), 0..300)) {
        // Behind a right checksum anything may stand.
        let length = |bytes: usize| u32::try_from(bytes).expect("small").to_le_bytes();
        let piece = [&length(columns.len())[..], &length(columns.len()), &columns].concat();
        let mut bytes = Vec::new();
        for part in [piece.len(), columns.len(), 1 << 16] {
            bytes.extend_from_slice(&length(part));
        }
        bytes.extend_from_slice(&[0; 16]);
        let mut sum = crc32fast::Hasher::new();
        sum.update(&bytes);
        sum.update(&piece);
        bytes.extend_from_slice(&sum.finalize().to_le_bytes());
        bytes.extend_from_slice(&piece);
        if let Some(records) = read_block(&bytes) {
            prop_assert!(records.len() <= 1 << 16);
        }
    }
}
