//! Files that are read again: recordings, journals, prices, configuration.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use tezi::config::Config;
use tezi::journal::record::{RECORD, body, checksum, encode, entry_of};
use tezi::journal::{self, Head, Record, recover};
use tezi::model::{MonoNanos, Stamp, WallNanos};
use tezi::store::prices::parse_prices;
use tezi::store::tape::{
    TapeReader, TapeRecord, TapeWriter, clock_record, frame_head, outcome_record, text_head,
    tick_record,
};
use tezi::venue::Broker;

/// Bytes that one byte of a recording may become: a block of zeros is compressed to almost nothing.
const GROWTH_MAX: usize = 64 << 20;

/// Bytes of records that are written.
const RECORDS_MAX: usize = 1 << 10;

/// The file as it is, and as the columns of a block whose lengths and checksum are right.
pub(super) fn tape(bytes: &[u8]) {
    play(bytes);
    let Some((&[low, high], columns)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let raw = u32::from(u16::from_le_bytes([low, high])) << 4;
    play(&block(columns, raw));
}

/// Any bytes as records: what is read of them is written and read again, for the packets of every broker.
pub(super) fn recording(bytes: &[u8]) {
    let Some((which, records)) = bytes.split_first() else {
        return;
    };
    // Hints are tried for every field, whatever the number of rows: a few records say as much as many, and sooner.
    let records = records.get(..RECORDS_MAX).unwrap_or(records);
    let broker = Broker::ALL[usize::from(*which) % Broker::ALL.len()];
    let write = |records: &[u8]| {
        let file = Scratch::new();
        let writer = TapeWriter::create(&file.0, "{}").expect("a file");
        let mut writer = writer.of(broker);
        writer.push(records).expect("room");
        writer.finish("{}").expect("room");
        let mut reader = TapeReader::open(&file.0).expect("a recording");
        let all: Vec<TapeRecord> = reader.by_ref().collect();
        (all, reader.torn().map(str::to_owned))
    };
    let (first, torn) = write(records);
    let mut again = Vec::new();
    for record in &first {
        match record {
            TapeRecord::Tick(tick) => again.extend_from_slice(&tick_record(tick)),
            TapeRecord::Clock(at) => again.extend_from_slice(&clock_record(*at)),
            TapeRecord::Outcome(entry) => again.extend_from_slice(&outcome_record(entry)),
            TapeRecord::Frame { at, bytes } => {
                again.extend_from_slice(&[&frame_head(*at, bytes)[..], bytes].concat());
            }
            TapeRecord::Text { at, bytes } => {
                again.extend_from_slice(&[&text_head(*at, bytes)[..], bytes].concat());
            }
            TapeRecord::Header(_)
            | TapeRecord::Warmup { .. }
            | TapeRecord::State { .. }
            | TapeRecord::End(_) => {}
        }
    }
    let kept = |all: &[TapeRecord]| -> Vec<TapeRecord> {
        let own = |record: &&TapeRecord| {
            !matches!(
                record,
                TapeRecord::Header(_)
                    | TapeRecord::Warmup { .. }
                    | TapeRecord::State { .. }
                    | TapeRecord::End(_)
            )
        };
        all.iter().filter(own).cloned().collect()
    };
    let (second, whole) = write(&again);
    assert_eq!(kept(&first), kept(&second), "written and read it differs");
    assert_eq!(whole, None, "what was written is whole; before: {torn:?}");
}

/// A recording of one block.
fn block(columns: &[u8], raw: u32) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let stored = [&length(columns.len())[..], &length(columns.len()), columns].concat();
    let mut file = b"TEZITAPE3\n".to_vec();
    let start = file.len();
    file.extend_from_slice(&length(stored.len()));
    file.extend_from_slice(&length(columns.len()));
    file.extend_from_slice(&raw.to_le_bytes());
    file.extend_from_slice(&[0; 16]);
    let mut sum = crc32fast::Hasher::new();
    sum.update(&file[start..]);
    sum.update(&stored);
    file.extend_from_slice(&sum.finalize().to_le_bytes());
    file.extend_from_slice(&stored);
    file
}

fn play(file: &[u8]) {
    let Ok(mut reader) = TapeReader::over(Cursor::new(file), "fuzz") else {
        return;
    };
    let mut bytes = 0;
    for record in reader.by_ref() {
        bytes += size_of_val(&record);
        assert!(bytes <= GROWTH_MAX + 1024 * file.len(), "it never ends");
    }
    if let Ok(mut reader) = TapeReader::over(Cursor::new(file), "fuzz") {
        drop(reader.seek(WallNanos(0)));
        drop(reader.next());
    }
}

/// The bytes behind a sound head, and as bodies of records that are sound.
pub(super) fn journal(bytes: &[u8]) {
    let head = Head::default().encode();
    let file = Scratch::new();
    let read = |first: &[u8], rest: &[u8]| {
        std::fs::write(&file.0, [first, rest].concat()).expect("room");
        journal::read(std::slice::from_ref(&file.0))
    };
    drop(read(&[], bytes));
    let raw = read(&head, bytes).expect("the head is sound");
    assert!(raw.records.len() <= bytes.len() / RECORD);
    let mut sound = Vec::new();
    let (mut records, mut previous) = (Vec::new(), 0);
    for chunk in bytes.as_chunks().0 {
        let Some(entry) = entry_of(chunk) else {
            continue;
        };
        assert_eq!(
            entry_of(&body(&entry)),
            Some(entry),
            "written and read it differs"
        );
        let number = records.len() as u64 + 1;
        let record = Record {
            sequence: number,
            at: Stamp {
                wall: WallNanos::from_secs(1_800_000_000),
                mono: MonoNanos(number),
            },
            entry,
        };
        let written = encode(&record, previous);
        previous = checksum(&written);
        sound.extend_from_slice(&written);
        records.push(record);
    }
    let journal = read(&head, &sound).expect("the head is sound");
    assert_eq!((&journal.records, journal.torn), (&records, None));
    let replayed = recover::fold(&records);
    assert!(replayed.orders.len() <= records.len() && replayed.fills.len() <= records.len());
}

/// A file of this process and thread, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!(
            "tezi-fuzz-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        );
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

pub(super) fn prices(bytes: &[u8]) {
    let Ok(file) = parse_prices(bytes, "fuzz.csv") else {
        return;
    };
    assert!(file.len() <= bytes.len(), "more rows than bytes");
    assert_eq!(file.rows().count(), file.len());
    for bar in &file.bars {
        assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close));
    }
}

pub(super) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(faults) = Config::parse(Path::new("fuzz.toml"), text) {
        assert!(!faults.0.is_empty(), "refused without a reason");
        assert!(!faults.to_string().is_empty());
    }
}
