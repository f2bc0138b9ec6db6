//! A recording: every input of the deciding stage in the order it was taken, and the broker's raw frames.
//!
//! ```text
//!   file   = "TEZITAPE1\n" block*
//!   block  = length u32 | crc32 u32 | bytes          (at most 1 MiB; a torn last block is cut, not fatal)
//!   bytes  = record*                                 (a record may continue in the next block)
//!   record = length u32 | kind u8 | payload          (little-endian)
//! ```
//!
//! Because the deciding stage sees nothing but these inputs, playing them back through the same code gives
//! the same intents, byte for byte.

use crate::journal::Entry;
use crate::journal::record::{body, entry_of};
use crate::model::{Bar, InstrumentIx, MonoNanos, Origin, Price, Stamp, Tick, WallNanos};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

const MAGIC: &[u8; 10] = b"TEZITAPE1\n";
const BLOCK_MAX: usize = 1 << 20;
/// Largest record: a frame of the largest accepted message and its stamps.
const RECORD_MAX: usize = (1 << 20) + 64;

/// One record of a recording.
#[derive(Clone, Debug, PartialEq)]
pub enum TapeRecord {
    /// What is needed to build the same pipeline again, as JSON; the first record.
    Header(String),
    /// A closed bar given to a unit before the first tick.
    Warmup {
        /// Position of the unit.
        unit: u16,
        /// The bar.
        bar: Bar,
    },
    /// A tick.
    Tick(Tick),
    /// Bars were closed by the clock at this moment.
    Clock(Stamp),
    /// Something became known of an order.
    Outcome(Entry),
    /// A raw binary frame of the broker.
    Frame {
        /// When it was read.
        at: Stamp,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Digests of the run that was recorded, as JSON; the last record of an orderly end.
    End(String),
}

const HEADER: u8 = 0;
const WARMUP: u8 = 1;
const TICK: u8 = 2;
const CLOCK: u8 = 3;
const OUTCOME: u8 = 4;
const FRAME: u8 = 5;
const END: u8 = 6;

/// Length and kind of a record with a payload of `payload` bytes.
fn head(kind: u8, payload: usize) -> [u8; 5] {
    let length = u32::try_from(payload).unwrap_or(u32::MAX).to_le_bytes();
    [length[0], length[1], length[2], length[3], kind]
}

const TICK_BYTES: usize = 64;

/// A tick as a whole record, without allocation.
pub fn tick_record(tick: &Tick) -> [u8; 5 + TICK_BYTES] {
    let mut bytes = [0; 5 + TICK_BYTES];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    put(&head(TICK, TICK_BYTES));
    for price in [tick.last, tick.high, tick.low, tick.bid, tick.ask] {
        put(&price.0.to_le_bytes());
    }
    put(&tick.exchange_time.0.to_le_bytes());
    put(&tick.received.0.to_le_bytes());
    put(&tick.volume.to_le_bytes());
    put(&tick.instrument.0.to_le_bytes());
    put(&[tick.merged, tick.source.byte()]);
    bytes
}

/// A clock closing as a whole record, without allocation.
pub fn clock_record(now: Stamp) -> [u8; 5 + 16] {
    let mut bytes = [0; 5 + 16];
    bytes[..5].copy_from_slice(&head(CLOCK, 16));
    bytes[5..13].copy_from_slice(&now.wall.0.to_le_bytes());
    bytes[13..].copy_from_slice(&now.mono.0.to_le_bytes());
    bytes
}

/// An outcome as a whole record, without allocation.
pub fn outcome_record(entry: &Entry) -> [u8; 5 + 89] {
    let mut bytes = [0; 5 + 89];
    bytes[..5].copy_from_slice(&head(OUTCOME, 89));
    bytes[5..].copy_from_slice(&body(entry));
    bytes
}

/// Head of a frame record; the frame's bytes follow it.
pub fn frame_head(at: Stamp, frame: &[u8]) -> [u8; 5 + 16] {
    let mut bytes = clock_record(at);
    bytes[..5].copy_from_slice(&head(FRAME, frame.len() + 16));
    bytes
}

fn text_record(kind: u8, text: &str) -> Vec<u8> {
    let mut bytes = head(kind, text.len()).to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// Writes a recording, owned by control; hot threads hand it records by byte lane.
#[derive(Debug)]
pub struct TapeWriter {
    file: File,
    block: Vec<u8>,
}

impl TapeWriter {
    /// Creates the file and writes the header.
    ///
    /// # Errors
    ///
    /// The operating system's, when the file cannot be created.
    pub fn create(path: &Path, header: &str) -> io::Result<Self> {
        let mut file = File::create(path)?;
        file.write_all(MAGIC)?;
        let mut writer = Self {
            file,
            block: Vec::with_capacity(BLOCK_MAX),
        };
        writer.push(&text_record(HEADER, header))?;
        Ok(writer)
    }

    /// Writes a warm-up bar.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn warmup(&mut self, unit: u16, bar: &Bar) -> io::Result<()> {
        let mut record = head(WARMUP, 62).to_vec();
        record.extend_from_slice(&unit.to_le_bytes());
        for value in [
            bar.start.0,
            bar.end.0,
            bar.open.0,
            bar.high.0,
            bar.low.0,
            bar.close.0,
        ] {
            record.extend_from_slice(&value.to_le_bytes());
        }
        record.extend_from_slice(&bar.volume.to_le_bytes());
        record.extend_from_slice(&bar.ticks.to_le_bytes());
        self.push(&record)
    }

    /// Appends whole records, in blocks.
    ///
    /// # Errors
    ///
    /// The operating system's; the records may be lost.
    pub fn push(&mut self, records: &[u8]) -> io::Result<()> {
        for part in records.chunks(BLOCK_MAX) {
            if self.block.len() + part.len() > BLOCK_MAX {
                self.flush()?;
            }
            self.block.extend_from_slice(part);
        }
        Ok(())
    }

    /// Writes the digests of an orderly end and flushes.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn finish(mut self, digests: &str) -> io::Result<()> {
        self.push(&text_record(END, digests))?;
        self.flush()?;
        self.file.sync_data()
    }

    /// Writes the current block.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let length = u32::try_from(self.block.len()).unwrap_or(u32::MAX);
        let crc = crc32fast::hash(&self.block);
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&crc.to_le_bytes())?;
        self.file.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TapeFault {
    /// The file is not there or not readable.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file is something else.
    #[error(
        "{file}: not a tezi recording (it does not begin with TEZITAPE1); record one with tezi run --record"
    )]
    NotATape {
        /// The file.
        file: String,
    },
}

/// Reads a recording record by record.
#[derive(Debug)]
pub struct TapeReader {
    file: BufReader<File>,
    pending: Vec<u8>,
    at: usize,
    torn: Option<String>,
    read: u64,
}

impl TapeReader {
    /// True when the file begins like a recording.
    pub fn is_tape(path: &Path) -> bool {
        let mut magic = [0; MAGIC.len()];
        File::open(path)
            .and_then(|mut f| f.read_exact(&mut magic))
            .is_ok()
            && &magic == MAGIC
    }

    /// Opens a recording.
    ///
    /// # Errors
    ///
    /// [`TapeFault`] when it is missing or something else.
    pub fn open(path: &Path) -> Result<Self, TapeFault> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| TapeFault::Unreadable {
            file: name.clone(),
            source,
        })?;
        if !Self::is_tape(path) {
            return Err(TapeFault::NotATape { file: name });
        }
        let mut file = BufReader::with_capacity(BLOCK_MAX, file);
        file.seek_relative(10)
            .map_err(|source| TapeFault::Unreadable { file: name, source })?;
        Ok(Self {
            file,
            pending: Vec::new(),
            at: 0,
            torn: None,
            read: MAGIC.len() as u64,
        })
    }

    /// Where the recording was cut, in words; `None` when all of it was sound.
    pub fn torn(&self) -> Option<&str> {
        self.torn.as_deref()
    }

    fn fill(&mut self) -> bool {
        let mut head = [0_u8; 8];
        match self.file.read_exact(&mut head[..1]) {
            Ok(()) => {}
            Err(_) => return false,
        }
        let place = self.read;
        let cut = |why: &str| {
            Some(format!(
                "block at byte {place}: {why}; what comes before it is sound"
            ))
        };
        if self.file.read_exact(&mut head[1..]).is_err() {
            self.torn = cut("torn in its head");
            return false;
        }
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let crc = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if length > BLOCK_MAX {
            self.torn = cut("its length is impossible");
            return false;
        }
        let mut block = vec![0; length];
        if self.file.read_exact(&mut block).is_err() {
            self.torn = cut("torn");
            return false;
        }
        if crc32fast::hash(&block) != crc {
            self.torn = cut("its checksum is wrong");
            return false;
        }
        self.read += 8 + length as u64;
        self.pending.drain(..self.at);
        self.at = 0;
        self.pending.extend_from_slice(&block);
        true
    }

    fn take(&mut self, length: usize) -> Option<usize> {
        while self.pending.len() - self.at < length {
            if self.torn.is_some() || !self.fill() {
                return None;
            }
        }
        self.at += length;
        Some(self.at - length)
    }
}

impl Iterator for TapeReader {
    type Item = TapeRecord;

    fn next(&mut self) -> Option<TapeRecord> {
        loop {
            let from = self.take(5)?;
            let head = &self.pending[from..from + 5];
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let kind = head[4];
            if length > RECORD_MAX {
                self.torn = Some(format!("a record of {length} bytes is impossible"));
                return None;
            }
            let from = self.take(length)?;
            if let Some(record) = decode(kind, &self.pending[from..from + length]) {
                return Some(record);
            }
        }
    }
}

struct In<'a>(&'a [u8]);

impl In<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (part, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*part)
    }
    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
    fn price(&mut self) -> Option<Price> {
        self.i64().map(Price)
    }
    fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp {
            wall: WallNanos(self.i64()?),
            mono: MonoNanos(self.u64()?),
        })
    }
}

/// Reads one payload; a kind of a later version is skipped by the caller.
fn decode(kind: u8, payload: &[u8]) -> Option<TapeRecord> {
    let mut input = In(payload);
    Some(match kind {
        HEADER => TapeRecord::Header(String::from_utf8_lossy(payload).into_owned()),
        END => TapeRecord::End(String::from_utf8_lossy(payload).into_owned()),
        WARMUP => TapeRecord::Warmup {
            unit: u16::from_le_bytes(input.take()?),
            bar: Bar {
                start: WallNanos(input.i64()?),
                end: WallNanos(input.i64()?),
                open: input.price()?,
                high: input.price()?,
                low: input.price()?,
                close: input.price()?,
                volume: input.u64()?,
                ticks: u32::from_le_bytes(input.take()?),
            },
        },
        TICK => TapeRecord::Tick(Tick {
            last: input.price()?,
            high: input.price()?,
            low: input.price()?,
            bid: input.price()?,
            ask: input.price()?,
            exchange_time: WallNanos(input.i64()?),
            received: MonoNanos(input.u64()?),
            volume: u32::from_le_bytes(input.take()?),
            instrument: InstrumentIx(u16::from_le_bytes(input.take()?)),
            merged: input.take::<1>()?[0],
            source: Origin::from_byte(input.take::<1>()?[0]),
        }),
        CLOCK => TapeRecord::Clock(input.stamp()?),
        OUTCOME => TapeRecord::Outcome(entry_of(payload.try_into().ok()?)?),
        FRAME => TapeRecord::Frame {
            at: input.stamp()?,
            bytes: input.0.to_vec(),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fill, Qty, Side, StrategyIx, Tag};

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

    #[test]
    fn a_recording_comes_back_whole_and_a_torn_tail_is_cut() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("day.tape");
        let (bytes, records) = sample();
        let bar = Bar {
            open: Price(1),
            ticks: 5,
            volume: 6,
            ..Bar::default()
        };
        let mut writer = TapeWriter::create(&path, "{}").expect("create");
        writer.warmup(2, &bar).expect("write");
        for _ in 0..20 {
            writer.push(&bytes).expect("write");
        }
        writer.finish("{\"n\":1}").expect("finish");
        let mut reader = TapeReader::open(&path).expect("tape");
        assert_eq!(reader.next(), Some(TapeRecord::Header("{}".into())));
        assert_eq!(reader.next(), Some(TapeRecord::Warmup { unit: 2, bar }));
        for _ in 0..20 {
            for record in &records {
                assert_eq!(reader.next().as_ref(), Some(record));
            }
        }
        assert_eq!(reader.next(), Some(TapeRecord::End("{\"n\":1}".into())));
        assert_eq!((reader.next(), reader.torn()), (None, None));

        let all = std::fs::read(&path).expect("read");
        std::fs::write(&path, &all[..all.len() - 9]).expect("write");
        let mut reader = TapeReader::open(&path).expect("tape");
        assert!(reader.by_ref().count() > 60);
        assert!(reader.torn().is_some());
        let mut changed = all.clone();
        changed[5_000_000] ^= 1;
        std::fs::write(&path, &changed).expect("write");
        let mut reader = TapeReader::open(&path).expect("tape");
        assert!(reader.by_ref().count() < 82);
        assert!(reader.torn().is_some_and(|t| t.contains("checksum")));
    }

    #[test]
    fn another_file_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("prices.csv");
        std::fs::write(&path, "Time,Open\n").expect("write");
        let text = TapeReader::open(&path).err().map(|e| e.to_string());
        assert!(
            text.is_some_and(|t| t.contains("prices.csv") && t.contains("not a tezi recording"))
        );
    }
}
